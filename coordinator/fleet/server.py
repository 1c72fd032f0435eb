"""The gRPC server for node agents: mutual TLS, keepalive that works, small limits."""

from __future__ import annotations

import grpc

from coordinator.fleet.session import SessionHandler
from trustquery.access import ACTIONS
from trustquery.wire import MAX_FRAME_BYTES, SERVICE

__all__ = ["METHODS", "make_server"]

METHODS = {"Session": "node.link"}
"""Method to action of ``trustquery.access.ACTIONS``: who may is decided by the node's certificate, in ``peers``."""

# Both keepalive timeouts are needed: without ping_timeout_ms a frozen peer is noticed only after a further minute
# (pitfalls.md section 2).
OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MAX_FRAME_BYTES),
    ("grpc.max_send_message_length", MAX_FRAME_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 4_000),
    ("grpc.max_concurrent_streams", 4),
    ("grpc.so_reuseport", 0),
)


def make_server(
    handler: SessionHandler, *, address: str, key_pem: bytes, certificate_pem: bytes, authority_pem: bytes
) -> grpc.aio.Server:
    """A server bound to ``address``; not yet started.

    Raises:
        RuntimeError: the address cannot be bound.
    """
    server = grpc.aio.server(options=OPTIONS)
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Session": grpc.stream_stream_rpc_method_handler(handler.session)
    }
    if methods.keys() != METHODS.keys() or any(action not in ACTIONS for action in METHODS.values()):
        raise TypeError("a method without an action")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    credentials = grpc.ssl_server_credentials([(key_pem, certificate_pem)], authority_pem, require_client_auth=True)
    server.add_secure_port(address, credentials)
    return server

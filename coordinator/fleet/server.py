"""The gRPC server for node agents: mutual TLS, keepalive that works, small limits."""

from __future__ import annotations

import grpc

from coordinator.fleet.peers import Peer, read_peer
from coordinator.fleet.session import SessionHandler
from trustquery.access import ACTIONS
from trustquery.listening.limits import Limits
from trustquery.wire import MAX_FRAME_BYTES, SERVICE

__all__ = ["METHODS", "make_server"]

METHODS = {"Session": "node.link"}
"""Method to action of ``trustquery.access.ACTIONS``: who may is decided by the node's certificate, in ``peers``."""

KEEPALIVE_MS = 6_000
PING_TIMEOUT_MS = 4_000
"""Together well below the 15 seconds in which a frozen peer must be noticed."""
MAX_METADATA_BYTES = 8 * 1024
"""Headers of a call; above twice that every call is refused, between the two some are."""
_STATUS = {
    "auth-certificate": grpc.StatusCode.PERMISSION_DENIED,
    "auth-revoked": grpc.StatusCode.PERMISSION_DENIED,
    "node-clone-suspected": grpc.StatusCode.PERMISSION_DENIED,
    "node-message-invalid": grpc.StatusCode.INVALID_ARGUMENT,
    "node-protocol-version": grpc.StatusCode.INVALID_ARGUMENT,
}

# Both keepalive timeouts are needed: without ping_timeout_ms a frozen peer is noticed only after a further minute
# (pitfalls.md section 2).
OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MAX_FRAME_BYTES),
    ("grpc.max_send_message_length", MAX_FRAME_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", PING_TIMEOUT_MS),
    ("grpc.http2.ping_timeout_ms", PING_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # A node may ask for pings a second apart, the least that its settings allow.
    ("grpc.http2.min_ping_interval_without_data_ms", 900),
    ("grpc.max_concurrent_streams", 4),
    ("grpc.so_reuseport", 0),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", 2 * MAX_METADATA_BYTES),
    # Only "identity": nothing is unpacked, so that nothing small becomes large. Nodes do not compress.
    ("grpc.compression_enabled_algorithms_bitset", 1),
)


class _GrpcStream:
    """One call of ``NodeLink.Session``."""

    def __init__(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        self._context = context

    @property
    def where(self) -> str:
        return f"grpc:{self._context.peer()}"

    def identity(self) -> Peer:
        return read_peer(self._context.auth_context())

    async def read(self) -> bytes | None:
        frame = await self._context.read()
        return frame if isinstance(frame, bytes) else None

    async def write(self, frame: bytes) -> None:
        await self._context.write(frame)

    async def refuse(self, reason: str) -> None:
        # An unknown reason is UNAVAILABLE: the node dials again.
        denied = grpc.StatusCode.PERMISSION_DENIED if reason.startswith("auth-") else grpc.StatusCode.UNAVAILABLE
        await self._context.abort(_STATUS.get(reason, denied), reason)


def make_server(
    handler: SessionHandler, *, address: str, credentials: grpc.ServerCredentials, limits: Limits
) -> grpc.aio.Server:
    """A server bound to ``address``; not yet started.

    Args:
        credentials: that require the certificate of a client.
        limits: of which gRPC knows how many connections may be open; it cannot count them by their source.

    Raises:
        RuntimeError: the address cannot be bound.
    """
    crowd = (
        ("grpc.max_allowed_incoming_connections", limits.connections),
        # TLS and the first HTTP/2 settings together; without it, two minutes.
        ("grpc.server_handshake_timeout_ms", limits.head_seconds * 1_000),
    )
    server = grpc.aio.server(options=(*OPTIONS, *crowd))

    async def session(_requests: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        await handler.session(_GrpcStream(context))

    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Session": grpc.stream_stream_rpc_method_handler(session)
    }
    if methods.keys() != METHODS.keys() or any(action not in ACTIONS for action in METHODS.values()):
        raise TypeError("a method without an action")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    server.add_secure_port(address, credentials)
    return server

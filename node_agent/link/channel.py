"""The gRPC channel to the coordinator: mutual TLS, keepalive that notices a frozen peer.

``node_agent.config.harden_transport`` must run before this module is imported: gRPC reads its cipher list then.
"""

from __future__ import annotations

import grpc

from node_agent.config import LinkConfig
from node_agent.enrolment.startup import Startup
from trustquery.wire import MAX_FRAME_BYTES

__all__ = ["open_channel"]


def open_channel(startup: Startup, config: LinkConfig) -> grpc.aio.Channel:
    """A channel that believes the authority pinned at enrolment alone."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=startup.authority_pem,
        private_key=startup.tls_key_pem,
        certificate_chain=startup.certificate_pem,
    )
    options = (
        ("grpc.max_receive_message_length", MAX_FRAME_BYTES),
        ("grpc.max_send_message_length", MAX_FRAME_BYTES),
        ("grpc.keepalive_time_ms", config.keepalive_ms),
        ("grpc.keepalive_timeout_ms", config.ping_timeout_ms),
        # Without this one a frozen peer is noticed only a minute later (pitfalls.md section 2).
        ("grpc.http2.ping_timeout_ms", config.ping_timeout_ms),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
    )
    return grpc.aio.secure_channel(startup.coordinator.grpc_address, credentials, options=options)

"""A session's stream over gRPC: mutual TLS, keepalive that notices a frozen peer, a proxy where there is one.

``node_agent.config.harden_transport`` must run before this module is imported: gRPC reads its cipher list then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from node_agent.config import LinkConfig
from node_agent.enrolment.startup import Startup
from node_agent.link.streams import ended, unreachable
from node_agent.network import DIRECT, Network
from node_agent.network.relay import Relay
from trustquery.settings import split_address
from trustquery.wire import MAX_FRAME_BYTES, SESSION_METHOD

__all__ = ["GrpcStream", "open_channel", "passes"]

TUNNEL_SECONDS = 8.0
_Call = grpc.aio.StreamStreamCall[bytes, bytes]


def open_channel(startup: Startup, config: LinkConfig, door: str = "") -> grpc.aio.Channel:
    """A channel that believes the authority pinned at enrolment alone.

    Args:
        door: where a relay listens; the coordinator is still whom TLS must find there.
    """
    credentials = grpc.ssl_channel_credentials(
        root_certificates=startup.authority_pem,
        private_key=startup.tls_key_pem,
        certificate_chain=startup.certificate_pem,
    )
    address = startup.coordinator.grpc_address
    options: list[tuple[str, int | str]] = [
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
        # Else gRPC reads the environment for proxies by rules of its own.
        ("grpc.enable_http_proxy", 0),
    ]
    if door:
        host, _ = split_address(address)
        options += [("grpc.ssl_target_name_override", host), ("grpc.default_authority", address)]
    return grpc.aio.secure_channel(door or address, credentials, options=options)


class GrpcStream:
    """One ``NodeLink.Session`` call on a channel of its own."""

    def __init__(self, channel: grpc.aio.Channel, relay: Relay | None) -> None:
        self._channel, self._relay = channel, relay
        multi: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(SESSION_METHOD)
        self._call: _Call = multi(wait_for_ready=False)

    @classmethod
    async def dial(cls, startup: Startup, config: LinkConfig, network: Network = DIRECT) -> GrpcStream:
        """Begin a call. Whether the coordinator is there shows at the first read or write."""
        relay, door = await _relay(startup, network)
        return cls(open_channel(startup, config, door), relay)

    async def read(self) -> bytes | None:
        """The next frame."""
        with self._said():
            frame = await self._call.read()
        return frame if isinstance(frame, bytes) else None

    async def write(self, frame: bytes) -> None:
        """Put a frame on the stream."""
        with self._said():
            await self._call.write(frame)

    async def finish(self) -> None:
        """Nothing more will be written."""
        with self._said():
            await self._call.done_writing()

    async def close(self) -> None:
        """Cut it."""
        self._call.cancel()
        await self._channel.close()
        if self._relay is not None:
            await self._relay.close()

    @contextmanager
    def _said(self) -> Iterator[None]:
        """The transport's errors in the catalogue's words; the relay knows more of a proxy than gRPC does."""
        try:
            yield
        except grpc.aio.AioRpcError as error:
            if self._relay is not None and self._relay.problem is not None:
                raise self._relay.problem from error
            raise ended(error.details() or "", error.code().name.lower()) from error
        except (grpc.aio.UsageError, asyncio.InvalidStateError) as error:
            raise unreachable("the stream") from error


async def _relay(startup: Startup, network: Network) -> tuple[Relay | None, str]:
    address = startup.coordinator.grpc_address
    proxy = network.proxy_for(address)
    if proxy is None:
        return None, ""
    relay = Relay(address, proxy, TUNNEL_SECONDS, network.folder)
    try:
        return relay, await relay.start()
    except OSError as error:
        await relay.close()
        raise unreachable("no socket can be made for the proxy's tunnel") from error


async def passes(startup: Startup, config: LinkConfig, network: Network, seconds: float) -> bool:
    """Whether TLS and HTTP/2 reach the coordinator now; no session is opened."""
    relay, door = await _relay(startup, network)
    channel = open_channel(startup, config, door)
    try:
        await asyncio.wait_for(channel.channel_ready(), seconds)
    except TimeoutError:
        return False
    finally:
        await channel.close()
        if relay is not None:
            await relay.close()
    return True

"""HTTP by hand, over TLS that is in order: whatever path, method and header a test wants to say."""

from __future__ import annotations

import socket
import ssl
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError

__all__ = ["GRPC", "Heard", "connect", "grpc_message", "http1", "http2"]

SECONDS = 10.0
GRPC = (("content-type", "application/grpc"), ("te", "trailers"))
"""The headers of a gRPC call beside path and method."""


@dataclass
class Heard:
    """What came back on one HTTP/2 stream.

    Attributes:
        status: of HTTP; "" where none came.
        grpc_status: as gRPC sends it; "" where none came.
        details: what gRPC says beside it.
        data: bytes of bodies.
        reset: whether stream or connection were ended without an answer.
        ended: whether nothing more can come.
    """

    status: str = ""
    grpc_status: str = ""
    details: str = ""
    data: bytes = b""
    reset: bool = False
    ended: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    def take(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Read headers or trailers."""
        self.headers |= {name.decode(): value.decode("latin-1") for name, value in headers}
        self.status = self.headers.get(":status", "")
        self.grpc_status = self.headers.get("grpc-status", "")
        self.details = self.headers.get("grpc-message", "")


def connect(port: int, authority: Path, protocol: str, key: bytes = b"", certificate: bytes = b"") -> ssl.SSLSocket:
    """A TLS connection to this machine that verifies the other end."""
    context = ssl.create_default_context(cafile=str(authority))
    context.set_alpn_protocols([protocol])
    if key:
        with tempfile.NamedTemporaryFile() as file:
            file.write(certificate + b"\n" + key)
            file.flush()
            context.load_cert_chain(file.name)
    raw = socket.create_connection(("localhost", port), timeout=SECONDS)
    return context.wrap_socket(raw, server_hostname="localhost")


def grpc_message(frame: bytes) -> bytes:
    """A message as gRPC puts it into a body: not compressed, and how long it is."""
    return struct.pack(">BI", 0, len(frame)) + frame


class http2:
    """One HTTP/2 stream on a connection of its own; nothing of it is checked before it is sent."""

    def __init__(self, wire: ssl.SSLSocket, headers: Sequence[tuple[str, str]], body: Sequence[bytes]) -> None:
        self.wire = wire
        self.heard = Heard()
        self._h2 = H2Connection(
            H2Configuration(
                client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False,
                validate_inbound_headers=False, header_encoding=None,
            )
        )  # fmt: skip
        self._h2.initiate_connection()
        self._h2.send_headers(1, headers)
        self._flush()
        for part in body:
            self.say(part)

    def _flush(self) -> None:
        self.wire.sendall(self._h2.data_to_send())

    def say(self, part: bytes) -> None:
        """Send a part of the body."""
        self._h2.send_data(1, part)
        self._flush()

    def listen(self, enough: int = 1) -> Heard:
        """Read until the stream has ended, or so many bytes of body have come."""
        while not self.heard.ended and len(self.heard.data) < enough:
            try:
                data = self.wire.recv(65_536)
                events = self._h2.receive_data(data) if data else []
            except (OSError, ProtocolError):
                data, events = b"", []
            if not data:
                self.heard.reset, self.heard.ended = not self.heard.status, True
            for event in events:
                match event:
                    case ResponseReceived() | TrailersReceived():
                        self.heard.take(event.headers)
                    case DataReceived():
                        self.heard.data += event.data
                    case StreamReset() | ConnectionTerminated():
                        self.heard.reset = self.heard.ended = True
                    case StreamEnded():
                        self.heard.ended = True
            if not self.heard.ended:
                self._flush()
        return self.heard


def http1(wire: ssl.SSLSocket, request: bytes) -> bytes:
    """Say these bytes and read until the other end has finished one answer or hangs up; its first 64 KiB."""
    wire.sendall(request)
    found = b""
    while len(found) < 65_536:
        try:
            data = wire.recv(65_536)
        except OSError:
            break
        if not data:
            break
        found += data
    return found

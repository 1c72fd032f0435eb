"""Peers that nobody has authenticated and that want a server's memory or its turn, over TCP, TLS and HTTP/2."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
from hpack import Encoder

__all__ = [
    "CLOSED", "CONTINUATION", "HEADERS", "PING", "PREFACE", "RST_STREAM", "SETTINGS", "Meanwhile", "cut_off", "dial",
    "frame", "headers", "meanwhile", "pour", "tls",
]  # fmt: skip

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 1, 3, 4, 6, 9
CLOSED = (ConnectionError, ssl.SSLError, OSError)
_MIB = 2**20


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One HTTP/2 frame (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def headers(path: str, more: Sequence[tuple[str, str]] = ()) -> bytes:
    """A block of headers that says a gRPC call, with an empty table behind it."""
    pseudo = ((":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "localhost"))
    found = Encoder()
    return bytes(found.encode([*pseudo, ("content-type", "application/grpc"), ("te", "trailers"), *more]))


def dial(port: int, source: str = "127.0.0.2", seconds: float = 20) -> socket.socket:
    """A TCP connection from one of this machine's own addresses."""
    return socket.create_connection(("127.0.0.1", port), seconds, (source, 0))


def tls(wire: socket.socket, protocol: str, key: bytes = b"", certificate: bytes = b"") -> ssl.SSLSocket:
    """TLS by somebody who believes everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    if key:
        with tempfile.NamedTemporaryFile() as file:
            file.write(certificate + b"\n" + key)
            file.flush()
            context.load_cert_chain(file.name)
    return context.wrap_socket(wire, server_hostname="localhost")


def cut_off(wires: Sequence[socket.socket], seconds: float, drip: Callable[[int], bytes] = lambda _: b"") -> int:
    """How many of these connections the other end ends within so many seconds, while each says a little now and then.

    Args:
        drip: what is said in each step, of which there are five a second.
    """
    alive, step, ends = dict.fromkeys(wires), 0, time.monotonic() + seconds
    for wire in wires:
        wire.setblocking(False)
    while alive and time.monotonic() < ends:
        for wire in list(alive):
            try:
                if said := drip(step):
                    wire.send(said)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                pass
            except CLOSED:
                del alive[wire]
        poll = select.poll()
        numbers = {wire.fileno(): wire for wire in alive}
        for number in numbers:
            poll.register(number, select.POLLIN)
        for number, _ in poll.poll(200):
            wire = numbers[number]
            try:
                if not wire.recv(65_536):
                    del alive[wire]
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except CLOSED:
                del alive[wire]
        time.sleep(0.05 if numbers else 0)
        step += 1
    return len(wires) - len(alive)


def pour(wire: socket.socket, pieces: Iterator[bytes]) -> int:
    """Say all of it as fast as it is taken; the number of pieces until the other end hung up, or all."""
    count = 0
    try:
        for piece in pieces:
            wire.sendall(piece)
            count += 1
            _drain(wire)
    except CLOSED:
        pass
    return count


def _drain(wire: socket.socket) -> None:
    """Read what is there, so that the other end never waits for us. OpenSSL is not for two threads at once."""
    wire.setblocking(False)
    try:
        while True:
            if not wire.recv(65_536):
                raise ConnectionResetError
    except (ssl.SSLWantReadError, BlockingIOError):
        pass
    finally:
        wire.settimeout(20)


@dataclass
class Meanwhile:
    """What happened to others while a server was attacked.

    Attributes:
        seconds: that each honest request took, a connection of its own each; failed ones are in ``failed``.
        before, peak: resident memory of the server, MiB.
    """

    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    before: float = 0.0
    peak: float = 0.0

    @property
    def p99(self) -> float:
        """Seconds in which 99 of 100 honest requests were answered; of fewer, the slowest."""
        found = sorted(self.seconds)
        return found[min(len(found) - 1, int(len(found) * 0.99))]

    @property
    def grown(self) -> float:
        """MiB by which the server grew."""
        return self.peak - self.before


@contextmanager
def meanwhile(process: int, ask: Callable[[], None], pause: float = 0.1) -> Iterator[Meanwhile]:
    """Ask honestly again and again, and look at the server's memory, while the body runs; at least once after it."""
    server, found, stop = psutil.Process(process), Meanwhile(), threading.Event()
    found.before = found.peak = server.memory_info().rss / _MIB

    def go() -> None:
        last = False
        while not last:
            last = stop.is_set()
            began = time.monotonic()
            try:
                ask()
            except Exception as error:
                found.failed.append(repr(error))
            else:
                found.seconds.append(time.monotonic() - began)
            time.sleep(pause)

    def look() -> None:
        while not stop.is_set():
            found.peak = max(found.peak, server.memory_info().rss / _MIB)
            time.sleep(0.02)

    threads = [threading.Thread(target=work) for work in (go, look)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join()

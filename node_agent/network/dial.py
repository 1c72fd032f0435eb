"""A TCP connection to an address, straight or through a CONNECT tunnel, within a time limit."""

from __future__ import annotations

import base64
import re
import socket
import time
from dataclasses import dataclass, field

from trustquery.errors import TrustQueryError
from trustquery.settings import split_address

__all__ = ["Proxy", "dial"]

_MOST_HEADER = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy that opens tunnels.

    Attributes:
        address: host:port.
        user: empty where the proxy asks for nobody's name.
    """

    address: str
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def authorization(self) -> str:
        """The value of ``Proxy-Authorization`` (RFC 7617, in UTF-8); empty without a user."""
        if not self.user:
            return ""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")


def dial(address: str, proxy: Proxy | None, seconds: float) -> socket.socket:
    """Connect.

    A name lookup has no time limit of its own: call this through ``within`` or ``aside``.

    Args:
        address: host:port.
        seconds: for everything together.

    Raises:
        TrustQueryError: ``node-unreachable``, ``node-proxy-unreachable``, ``node-proxy-auth``, ``node-proxy-refused``.
    """
    ends = time.monotonic() + seconds
    if proxy is None:
        try:
            return socket.create_connection(split_address(address), _left(ends))
        except OSError as error:
            raise TrustQueryError("node-unreachable", address=address) from error
    try:
        connection = socket.create_connection(split_address(proxy.address), _left(ends))
    except OSError as error:
        raise TrustQueryError("node-proxy-unreachable", proxy=proxy.address) from error
    try:
        status = _connect(connection, address, proxy, ends)
        if status == 407:
            raise TrustQueryError("node-proxy-auth", proxy=proxy.address)
        if not 200 <= status < 300:
            raise TrustQueryError("node-proxy-refused", proxy=proxy.address, address=address)
    except OSError as error:
        connection.close()
        raise TrustQueryError("node-proxy-unreachable", proxy=proxy.address) from error
    except TrustQueryError:
        connection.close()
        raise
    return connection


def _connect(connection: socket.socket, address: str, proxy: Proxy, ends: float) -> int:
    """Ask for the tunnel; the status of the answer.

    Raises:
        OSError: the proxy does not answer in time, or not in HTTP.
    """
    lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    connection.settimeout(_left(ends))
    connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    # One byte at a time: what follows the empty line belongs to the tunnel.
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        connection.settimeout(_left(ends))
        byte = connection.recv(1)
        if not byte or len(head) >= _MOST_HEADER:
            raise OSError("no answer in HTTP")
        head += byte
    found = _STATUS.match(head)
    if found is None:
        raise OSError("no answer in HTTP")
    return int(found.group(1))


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left

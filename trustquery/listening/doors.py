"""A listening socket that counts its connections from the moment that the kernel hands them over: before TLS."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from collections import Counter
from typing import Any

from trustquery.listening.limits import Limits

__all__ = ["Door", "listen"]

BACKLOG = 512
_AT_ONCE = 200
"""Connections that are turned away in one go, before whoever has come in gets a turn again."""


def _source(address: str) -> str:
    """Who a peer counts as: an IPv4 address, or the IPv6 network of 64 bits that one customer has."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


class _Guest(socket.socket):
    """One connection; its place is free once it is closed."""

    door: Door | None = None
    source = ""

    def close(self) -> None:
        """Close it."""
        door, self.door = self.door, None
        super().close()
        if door is not None:
            door.left(self.source)

    def detach(self) -> int:
        """Give the descriptor away: it is counted no longer."""
        door, self.door = self.door, None
        if door is not None:
            door.left(self.source)
        return super().detach()


class Door(socket.socket):
    """A listening socket; whoever is one too many is closed unread, without a byte of TLS.

    asyncio calls ``accept`` for every server that it runs, so that what is here holds for each of them.
    """

    limits = Limits()

    def __init__(self, family: int = socket.AF_INET) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._inside: Counter[str] = Counter()
        self.turned_away = 0

    @property
    def inside(self) -> int:
        """Open connections."""
        return self._inside.total()

    def left(self, source: str) -> None:
        """A connection was closed."""
        self._inside[source] -= 1
        if self._inside[source] <= 0:
            del self._inside[source]

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection that may come in.

        Raises:
            BlockingIOError: there is none now.
        """
        for _ in range(_AT_ONCE):
            descriptor, address = self._accept()  # type: ignore[attr-defined]
            guest = _Guest(self.family, self.type, self.proto, fileno=descriptor)
            source = _source(address[0])
            if (
                self.inside < self.limits.connections
                and self._inside[source] < self.limits.connections_per_source
            ):  # fmt: skip
                self._inside[source] += 1
                guest.door, guest.source = self, source
                return guest, address
            if not self._inside[source]:
                del self._inside[source]
            self.turned_away += 1
            with contextlib.suppress(OSError):
                guest.close()
        raise BlockingIOError


def listen(host: str, port: int, limits: Limits) -> list[socket.socket]:
    """Sockets that listen at every address of a host.

    Raises:
        OSError: the address cannot be bound.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    doors: list[socket.socket] = []
    absent: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            doors.append(_door(family, address, limits))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                for door in doors:
                    door.close()
                raise
            # "localhost" has two addresses, of which a machine without IPv6 has one.
            absent = error
    if not doors and absent is not None:
        raise absent
    return doors


def _door(family: int, address: Any, limits: Limits) -> Door:
    door = Door(family)
    try:
        door.limits = limits
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        door.bind(address)
        door.listen(BACKLOG)
        door.setblocking(False)
    except OSError:
        door.close()
        raise
    return door

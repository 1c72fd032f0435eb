"""Ending a connection so that what was written and has not left stays here."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

__all__ = ["SEND_BUFFER_BYTES", "cut"]

SEND_BUFFER_BYTES = 256 * 1024
"""What the kernel may hold of a stream: beyond it, the stop mark is looked at while a frame waits."""
_AT_ONCE = struct.pack("ii", 1, 0)


def cut(transport: asyncio.BaseTransport) -> None:
    """Reset the connection: an ordinary close sends what the kernel still holds first."""
    found = transport.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()

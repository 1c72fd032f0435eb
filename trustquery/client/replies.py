"""How much of a reply is read: as it came, and not more than expected. A coordinator may be hostile to its clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx

from trustquery.errors import TrustQueryError

__all__ = ["IDENTITY", "LARGE", "SMALL", "bounded"]

SMALL = 8 * 1024 * 1024
"""Bytes of a reply that holds documents."""
LARGE = 512 * 1024 * 1024
"""Bytes of a reply that holds results: vectors of 64 MiB and more, from several trusts, as text."""
IDENTITY = {"Accept-Encoding": "identity"}
"""Asks for replies as they are: what is compressed would be larger than it looks."""


class _Counted(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._left -= len(chunk)
            if self._left < 0:
                raise TrustQueryError("node-message-invalid", place="reply")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def bounded(limit: Callable[[str], int]) -> dict[str, list[Callable[[httpx.Response], None]]]:
    """Event hooks for a client: a reply that is compressed, or longer than its path's limit in bytes, is refused.

    The hook raises ``node-message-invalid``.
    """

    def check(response: httpx.Response) -> None:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise TrustQueryError("node-message-invalid", place="reply")
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _Counted(response.stream, limit(response.request.url.path))

    return {"response": [check]}

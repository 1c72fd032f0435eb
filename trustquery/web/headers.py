"""What every page tells the browser: load nothing from elsewhere, run nothing that stands in a page, be in no frame."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

__all__ = ["PLAIN", "SCRIPTED", "Headers"]

_Message = MutableMapping[str, Any]
_App = Callable[[_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]]

_LOADS = "style-src 'self'; img-src 'self'; "
_CLOSED = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
PLAIN: Mapping[str, str] = {
    "Content-Security-Policy": f"default-src 'none'; {_LOADS}{_CLOSED}",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Of pages that run nothing: the public's, and those on the way to a session."""
SCRIPTED: Mapping[str, str] = {
    **PLAIN,
    # Files only: neither 'unsafe-inline' nor a nonce, because no page has a script or a style in itself.
    "Content-Security-Policy": f"default-src 'none'; script-src 'self'; connect-src 'self'; {_LOADS}{_CLOSED}",
    "Cache-Control": "no-store",
    # A form that is sent from our page names where it comes from; with no-referrer it would say null.
    "Referrer-Policy": "same-origin",
}
"""Of pages of somebody who is signed in."""


class Headers:
    """An ASGI application whose answers under some paths carry some headers, errors included.

    Args:
        by_prefix: path prefix to headers; the first that fits. Other paths are left alone.
    """

    def __init__(self, app: _App, by_prefix: Mapping[str, Mapping[str, str]]) -> None:
        self._app = app
        self._by_prefix = {
            prefix: [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            for prefix, headers in by_prefix.items()
        }

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Serve one request."""
        added = next(
            (own for prefix, own in self._by_prefix.items() if str(scope.get("path")).startswith(prefix)), None
        )
        if scope["type"] != "http" or added is None:
            await self._app(scope, receive, send)
            return
        names = {name for name, _ in added}

        async def told(message: _Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in names]
                message["headers"] = [*kept, *added]
            await send(message)

        await self._app(scope, receive, told)

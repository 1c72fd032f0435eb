"""Signing in with the system's browser (RFC 8252): the browser brings a code back to this machine, and only to it.

This program never sees a password, nor anything that the sign-in service issues. It keeps a secret of its own (PKCE): a
code that somebody else catches opens nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from trustquery.client.config import ClientHome, ClientSettings
from trustquery.client.http import Http
from trustquery.client.signin import keep
from trustquery.errors import TrustQueryError

__all__ = ["sign_in_by_browser"]

WAIT_SECONDS = 600
_PAGE = b"""<!doctype html><html lang="en-GB"><meta charset="utf-8"><title>TrustQuery</title>
<p>The command has what it needs. You can close this page; the terminal says how it went.</p></html>
"""


class _Listener(HTTPServer):
    """Waits on this machine alone, for one answer that knows the state."""

    def __init__(self, state: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state
        self.answer: dict[str, str] | None = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whatever a stranger sends is no matter."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 5

    def do_GET(self) -> None:
        """Take the browser's answer; anything else on this machine that asks is told that nothing is here."""
        server = cast(_Listener, self.server)
        address = urlsplit(self.path)
        items = parse_qsl(address.query)
        found = dict(items)
        known = hmac.compare_digest(found.get("state", "").encode(), server.state.encode())
        if address.path != "/callback" or not known or len(found) != len(items) or server.answer is not None:
            self.send_error(404)
            return
        server.answer = found
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(_PAGE)

    def log_message(self, format: str, *args: Any) -> None:
        """Addresses hold codes: none is written down."""


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def sign_in_by_browser(
    home: ClientHome,
    settings: ClientSettings,
    http: Http,
    show: Callable[[str], None],
    *,
    strong: bool = False,
    provider: str = "",
    wait: float = WAIT_SECONDS,
) -> int:
    """Have the person sign in, keep the token; returns when it expires.

    Args:
        show: is given the address that the person's browser opens.
        strong: ask for a sign-in that is enough to approve.
        provider: which sign-in service; "" for the coordinator's first.
        wait: seconds until it is given up.

    Raises:
        TrustQueryError: ``auth-browser``: nobody came back; what the coordinator or the service said; and
            ``auth-other-account``: it was somebody else.
    """
    verifier, state, base = secrets.token_urlsafe(32), secrets.token_urlsafe(32), f"https://{settings.coordinator}"
    with _Listener(state) as listener:
        body = {"provider": provider, "challenge": _s256(verifier), "port": listener.server_port, "state": state}
        address = str(http.post("/v1/signin", body | {"strong": strong})["address"])
        if not address.startswith(f"{base}/signin/"):
            raise TrustQueryError("auth-browser", problem="the coordinator names an address that is not its own")
        show(address)
        answer = _awaited(listener, wait)
    if answer.get("iss") != base:
        raise TrustQueryError("auth-browser", problem="the answer came from somebody else")
    if "error" in answer:
        raise _told(answer)
    found = http.post("/v1/signin/token", {"code": answer.get("code", ""), "verifier": verifier})
    if found["user"] != settings.user:
        http.token = str(found["token"])
        http.post("/v1/logout", {})
        http.token = ""
        raise TrustQueryError("auth-other-account", found=str(found["user"])[:64], wanted=settings.user)
    return keep(home, settings, http, found)


def _awaited(listener: _Listener, wait: float) -> dict[str, str]:
    end = time.monotonic() + wait
    while listener.answer is None:
        left = end - time.monotonic()
        if left <= 0:
            raise TrustQueryError("auth-browser", problem=f"nobody signed in within {int(wait)} seconds")
        listener.timeout = left
        listener.handle_request()
    return listener.answer


def _told(answer: dict[str, str]) -> TrustQueryError:
    """What the coordinator said went wrong, on its way through the browser."""
    try:
        fields = json.loads(answer.get("fields", "{}"))
        return TrustQueryError(answer["error"], **{str(name): str(value)[:300] for name, value in fields.items()})
    except (ValueError, AttributeError, TypeError):
        return TrustQueryError("auth-browser", problem="the sign-in did not succeed")

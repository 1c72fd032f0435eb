"""A person at their browser, who signs in with a password and a code: fills in the forms over HTTP, cookies and all."""

from __future__ import annotations

import html
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pyotp

from demo.processes import DemoError

__all__ = ["Person", "connected", "field_of", "onward_of"]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
Send = Callable[..., httpx.Response]


def field_of(page: httpx.Response, name: str) -> str:
    """A hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    if not found:
        raise DemoError(f"a page has no {name}: {page.status_code}")
    return html.unescape(found[1])


def onward_of(page: httpx.Response) -> httpx.URL:
    """Where a page sends the browser by itself."""
    found = re.search(r'content="\d; url=([^"]+)"', page.text)
    if not found:
        raise DemoError(f"a page goes nowhere: {page.status_code}")
    return httpx.URL(html.unescape(found[1]))


def connected(address: str, authority: Path) -> Send:
    """Requests to a coordinator, which its own authority vouches for.

    Args:
        address: host:port.
    """
    trusted = ssl.create_default_context(cadata=authority.read_text(encoding="ascii"))
    client = httpx.Client(base_url=f"https://{address}", verify=trusted, trust_env=False, timeout=30)
    return client.request


class Person:
    """Somebody with a password and an authenticator app.

    Args:
        send: one request to the coordinator: method, path, and options of ``httpx``.
        clock: seconds since 1970 UTC, as their telephone shows them.
    """

    def __init__(self, name: str, password: str, send: Send, clock: Callable[[], float]) -> None:
        self.name, self.password, self.secret = name, password, ""
        self._send, self._clock = send, clock
        self.cookies: dict[str, str] = {}

    def send(self, method: str, path: str, form: dict[str, str] | None = None) -> httpx.Response:
        """One request of the browser, with its cookies."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            reply = self._send(method, path, headers=headers | FORM, content=urlencode(form).encode())
        else:
            reply = self._send(method, path, headers=headers)
        for cookie in reply.headers.get_list("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
        return reply

    def code(self, drift: int = 0) -> str:
        """What the app shows, or showed ``drift`` steps of 30 seconds away."""
        return pyotp.TOTP(self.secret).at(int(self._clock()) + 30 * drift)

    def set_up(self, setup: str) -> httpx.Response:
        """Choose a password, scan the secret, type the first code: the one before, so that the next is fresh."""
        page = self.send("POST", "/local/setup", {"setup": setup, "password": self.password})
        found = re.search(r'id="secret">([A-Z2-7]+)<', page.text)
        if not found:
            return page
        self.secret = found[1]
        return self.send("POST", "/local/setup/confirm", {"setup": setup, "code": self.code(-1)})

    def form(self, address: str) -> httpx.Response:
        """From the address that ``tq login`` shows to the form."""
        opened = self.send("GET", httpx.URL(address).raw_path.decode())
        return self.send("GET", httpx.URL(opened.headers["location"]).raw_path.decode())

    def fill_in(self, page: httpx.Response, **other: str) -> httpx.Response:
        """Send the form."""
        fields = {"user": self.name, "password": self.password, "code": self.code() if self.secret else "000000"}
        return self.send("POST", "/local/authorize", {"request": field_of(page, "request")} | fields | other)

    def sign_in(self, address: str) -> httpx.Response:
        """All of it: the page at the end, which sends the browser back to the client."""
        sent = self.fill_in(self.form(address))
        if sent.status_code != 303:
            raise DemoError(f"{self.name} could not sign in: {sent.status_code}")
        return self.send("GET", httpx.URL(sent.headers["location"]).raw_path.decode())

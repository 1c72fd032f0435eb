"""WEB-01, WEB-02, WEB-07: headers of every answer, forms of ours alone, and the life of a browser's session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from coordinator.api import make_app
from coordinator.api.app import routed
from coordinator.api.door import endpoints
from coordinator.api.pages.door import SESSION_COOKIE, safe_next
from coordinator.api.pages.session import VISIT_COOKIE
from coordinator.web.headers import BY_PREFIX
from tests.factories.documents import NOW
from tests.lib.hostile_provider import HostileProvider
from tests.lib.signing_in import open_signing_in
from tests.lib.site import Site, open_site
from trustquery.identity import SigningKey
from trustquery.web import PREFIX, form_mark, version

PAGE = {"Accept": "text/html"}
CHANGES = [(method, path) for method, path, _ in endpoints(routed()) if method not in ("GET", "HEAD")]


@dataclass
class Browser:
    """Keeps cookies as a browser does, and follows nothing by itself."""

    site: Site
    cookies: dict[str, str] = field(default_factory=dict)
    set: list[str] = field(default_factory=list)

    def send(self, method: str, address: str, **options: Any) -> httpx.Response:
        """One request."""
        headers = PAGE | {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        path = httpx.URL(address).raw_path.decode()
        reply = self.site.call(method, path, **({"headers": headers | options.pop("headers", {})} | options))
        self.set = reply.headers.get_list("set-cookie")
        for cookie in self.set:
            name, _, value = cookie.partition(";")[0].partition("=")
            if "Max-Age=0" in cookie:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return reply


@dataclass
class World:
    """A site whose people sign in at a provider."""

    site: Site
    provider: HostileProvider

    def begin(self, browser: Browser, onward: str = "/app/") -> str:
        """To the provider and back; returns the address that the provider sends the browser to."""
        page = browser.send("POST", "/app/sign-in", data={"next": onward})
        assert page.status_code == 200, page.text
        address = page.text.partition("url=")[2].partition('"')[0]
        opened = browser.send("GET", address)
        assert opened.status_code == 303, opened.text
        return self.provider.visit(opened.headers["location"])

    def signed_in(self, browser: Browser | None = None, onward: str = "/app/") -> tuple[Browser, httpx.Response]:
        """A browser with a session, and the answer that brought it."""
        browser = browser or Browser(self.site)
        back = browser.send("GET", self.begin(browser, onward))
        assert back.status_code == 303, back.text
        return browser, browser.send("GET", back.headers["location"])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    signing_in = open_signing_in(tmp_path)
    site = open_site(signing_in.store, tmp_path, {}, SigningKey.generate(), burst=100_000)
    api = replace(site.app.state.api, signin=signing_in.desk)
    yield World(Site(site.base, make_app(api)), signing_in.provider)
    signing_in.store.close()


# -- headers -------------------------------------------------------------------------------------------


@pytest.mark.acceptance("WEB-01")
def test_every_route_of_pages_answers_with_the_headers(world: World) -> None:
    """Crawls every route, signed in and not, found and not; nothing of a page may run what stands in it."""
    ada, _ = world.signed_in()
    stranger = Browser(world.site)
    seen = 0
    for method, path, _ in endpoints(routed()):
        prefix = next((prefix for prefix in BY_PREFIX if path.startswith(prefix)), "")
        if not prefix or "sign-out" in path:
            continue
        for browser in (ada, stranger):
            address = path.replace(":path", "").replace("{version}", version()).replace("{", "").replace("}", "")
            reply = browser.send(method, address)
            for name, value in BY_PREFIX[prefix].items():
                assert reply.headers.get(name) == value, (method, path, name)
            policy = reply.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; ")
            assert "frame-ancestors 'none'" in policy
            assert not any(word in policy for word in ("unsafe", "http", "*", "data:"))
            assert "max-age=63072000" in reply.headers["strict-transport-security"]
            if path.startswith("/app"):
                assert reply.headers["cache-control"] == "no-store"
            seen += 1
    assert seen > 50
    lost = stranger.send("GET", "/app/nowhere")
    assert lost.status_code == 404
    assert lost.headers["cache-control"] == "no-store"


def test_files_may_be_kept_for_ever_and_only_under_their_own_hash(world: World) -> None:
    stranger = Browser(world.site)
    for name in ("kit/nhsuk.css", "kit/nhsuk.js", "tq.css", "tq.js", "icon.svg"):
        reply = stranger.send("GET", f"{PREFIX}/{version()}/{name}")
        assert reply.status_code == 200, name
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert b"assets.nhs.uk" not in reply.content
        assert b"@font-face" not in reply.content
    for address in ("000000000000/tq.css", f"{version()}/../__init__.py", f"{version()}/none.css"):
        assert stranger.send("GET", f"{PREFIX}/{address}").status_code == 404, address


# -- forms ---------------------------------------------------------------------------------------------


@pytest.mark.acceptance("WEB-02")
def test_no_other_site_can_have_a_browser_change_something(world: World) -> None:
    """Every write, with the session's cookie and whatever another site's page can send: text as JSON, a form, nothing.

    What needs a session refuses, and what opens one leaves the session that there is alone.
    """
    ada, _ = world.signed_in()
    token = ada.cookies[SESSION_COOKIE]
    elsewhere = {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"}
    bodies: tuple[tuple[str, bytes], ...] = (
        ("text/plain", b'{"reason": "x", "mark": "y"}'),
        ("application/x-www-form-urlencoded", b"reason=x&mark=" + b"0" * 64),
        ("", b""),
    )
    assert len(CHANGES) > 30
    for method, path in CHANGES:
        for kind, body in bodies:
            reply = ada.send(method, path, content=body, headers=elsewhere | ({"Content-Type": kind} if kind else {}))
            assert 400 <= reply.status_code < 500, (method, path, kind)
            assert reply.status_code != 429, "the limit on sign-ins hid the answer"
            assert ada.cookies[SESSION_COOKIE] == token
    assert ada.send("GET", "/app/").status_code == 200


@pytest.mark.acceptance("WEB-02")
def test_a_form_of_an_older_session_or_without_a_mark_is_not_taken(world: World) -> None:
    ada, _ = world.signed_in()
    mark = form_mark(ada.cookies[SESSION_COOKIE])
    other, _ = world.signed_in()
    for wrong in ("", "0" * 64, form_mark(other.cookies[SESSION_COOKIE])):
        reply = ada.send("POST", "/app/sign-out", data={"mark": wrong})
        assert reply.status_code == 403, wrong
        assert "auth-form" in reply.text
    assert ada.send("POST", "/app/sign-out", json={"mark": mark}).status_code == 400
    page = ada.send("GET", "/app/")
    assert page.status_code == 200
    assert f'name="mark" value="{mark}"' in page.text
    # The control: with it, the same form is taken.
    assert ada.send("POST", "/app/sign-out", data={"mark": mark}).status_code == 303


# -- sessions ------------------------------------------------------------------------------------------


@pytest.mark.acceptance("WEB-07")
def test_a_sign_in_makes_a_new_session_in_a_cookie_that_nothing_else_reads(world: World) -> None:
    planted = Browser(world.site, {SESSION_COOKIE: "planted by somebody else"})
    ada, reply = world.signed_in(planted)
    assert reply.headers["location"] == "/app/"
    cookie = next(cookie for cookie in ada.set if cookie.startswith(SESSION_COOKIE))
    flags = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert SESSION_COOKIE.startswith("__Host-")
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= flags
    assert not any(flag.startswith("domain") for flag in flags)
    assert ada.cookies[SESSION_COOKIE] != "planted by somebody else"
    first = dict(ada.cookies)
    world.signed_in(ada)
    assert ada.cookies[SESSION_COOKIE] != first[SESSION_COOKIE]
    gone = Browser(world.site, first).send("GET", "/app/")
    assert gone.headers["location"] == "/app/sign-in?next=%2Fapp%2F"


@pytest.mark.acceptance("WEB-07")
def test_signing_out_ends_the_session_and_nothing_is_kept_for_the_back_button(world: World) -> None:
    ada, _ = world.signed_in()
    kept = dict(ada.cookies)
    page = ada.send("GET", "/app/")
    assert page.headers["cache-control"] == "no-store"
    reply = ada.send("POST", "/app/sign-out", data={"mark": form_mark(kept[SESSION_COOKIE])})
    assert reply.headers["clear-site-data"] == '"cache", "storage"'
    assert SESSION_COOKIE not in ada.cookies
    assert Browser(world.site, kept).send("GET", "/app/").status_code == 303


@pytest.mark.acceptance("WEB-07")
def test_idle_and_absolute_ends_and_other_browsers(world: World) -> None:
    """As the sessions of the command line: one unused for too long ends, so does one that is too old; two may run."""
    store, settings = world.site.base.store, world.site.base.settings.sessions
    ada, _ = world.signed_in()
    other, _ = world.signed_in()
    assert ada.send("GET", "/app/").status_code == other.send("GET", "/app/").status_code == 200

    from coordinator.api.context import token_hash

    hashed = token_hash(ada.cookies[SESSION_COOKIE])
    idle = settings.idle_minutes * 60
    assert store.sessions.find(hashed, NOW + idle, idle) is not None
    assert store.sessions.find(hashed, NOW + 2 * idle + 1, idle) is None
    assert store.sessions.find(token_hash(other.cookies[SESSION_COOKIE]), NOW + settings.hours * 3600, 10**9) is None
    assert ada.send("GET", "/app/").status_code == 303


@pytest.mark.acceptance("WEB-07")
def test_nobody_is_signed_in_by_a_link(world: World) -> None:
    """An attacker's own code, in somebody else's browser: without the cookie of its beginning it is worth nothing."""
    eve = Browser(world.site)
    back = eve.send("GET", world.begin(eve))
    arrive = back.headers["location"]
    victim = Browser(world.site)
    assert victim.send("GET", arrive).status_code == 401
    assert SESSION_COOKIE not in victim.cookies
    # It is used up by that.
    begun = Browser(world.site, {VISIT_COOKIE: "0" * 64})
    assert begun.send("GET", arrive).status_code == 401
    assert eve.send("GET", arrive).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["https://evil.test/", "//evil.test", "/app/../v1", "/app//evil.test", "/public/", "/app/x?y=//z",
     "/app/" + "x" * 80,
     "/app/\\evil", "/app/%2e%2e/", "", "/app/\nx"],
)  # fmt: skip
def test_signing_in_leads_to_a_page_of_ours(path: str) -> None:
    assert safe_next(path) == "/app/"
    assert safe_next("/app/projects/stays") == "/app/projects/stays"


def test_a_page_s_session_opens_no_program_s_address(world: World) -> None:
    """The JSON API takes the header alone: no cookie that a browser sends by itself does anything there."""
    ada, _ = world.signed_in()
    assert ada.send("GET", "/v1/projects").status_code == 401
    bearer = replace(world.site, token=ada.cookies[SESSION_COOKIE])
    assert bearer.call("GET", "/v1/projects").status_code == 200

"""Signing in over the coordinator's own addresses: cookies, headers, pages, and a client that waits on its machine."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from coordinator.api import make_app
from tests.factories.documents import NOW
from tests.lib.hostile_provider import HostileProvider
from tests.lib.refusals import code_of as refusal_code
from tests.lib.signing_in import challenge_of, open_signing_in
from tests.lib.site import AUTHORITY, Site, code_of, open_site
from trustquery.client.browser import sign_in_by_browser
from trustquery.client.config import ClientHome, ClientSettings
from trustquery.client.http import Http
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey

VERIFIER, STATE = "v" * 43, "s" * 43
BODY = {"challenge": challenge_of(VERIFIER), "port": 50_000, "state": STATE}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Site, HostileProvider]]:
    signing_in = open_signing_in(tmp_path)
    site = open_site(signing_in.store, tmp_path, {}, SigningKey.generate())
    api = replace(site.app.state.api, signin=signing_in.desk)
    yield Site(site.base, make_app(api)), signing_in.provider
    signing_in.store.close()


def path_of(address: str) -> str:
    return httpx.URL(address).raw_path.decode()


def onward(page: httpx.Response) -> httpx.URL:
    """Where a page sends the browser by itself."""
    found = re.search(r'content="\d; url=([^"]+)"', page.text)
    assert found, page.text
    return httpx.URL(html.unescape(found[1]))


def through(site: Site, provider: HostileProvider, address: str) -> httpx.Response:
    """A browser that opens an address, signs in, and comes back."""
    opened = site.call("GET", path_of(address))
    assert opened.status_code == 303, opened.text
    cookie = opened.headers["set-cookie"].partition(";")[0]
    back = provider.visit(opened.headers["location"])
    return site.call("GET", path_of(back), headers={"Cookie": cookie})


@pytest.mark.acceptance("TRN-09")
def test_a_browser_goes_there_and_back_and_the_client_has_a_session(world: tuple[Site, HostileProvider]) -> None:
    site, provider = world
    begun = site.call("POST", "/v1/signin", json=BODY).json()
    page = through(site, provider, begun["address"])
    assert page.status_code == 200
    home = onward(page)
    assert (home.scheme, home.host, home.port, home.path) == ("http", "127.0.0.1", 50_000, "/callback")
    assert home.params["state"] == STATE
    assert home.params["iss"] == "https://localhost:8443"
    session = site.call("POST", "/v1/signin/token", json={"code": home.params["code"], "verifier": VERIFIER}).json()
    assert (session["user"], session["level"]) == ("ada", 2)
    assert session["expires"] == NOW + 8 * 3600
    ada = replace(site, token=session["token"])
    assert ada.call("GET", "/v1/projects").status_code == 200
    assert ada.call("POST", "/v1/logout").status_code == 200
    assert code_of(ada.call("GET", "/v1/projects")) == "auth-required"


@pytest.mark.acceptance("TRN-09")
def test_a_session_ends_with_the_person_at_the_next_request(world: tuple[Site, HostileProvider]) -> None:
    site, provider = world
    home = onward(through(site, provider, site.call("POST", "/v1/signin", json=BODY).json()["address"]))
    body = {"code": home.params["code"], "verifier": VERIFIER}
    ada = replace(site, token=site.call("POST", "/v1/signin/token", json=body).json()["token"])
    assert ada.call("GET", "/v1/projects").status_code == 200
    assert site.base.store.people.disable("ada")
    assert code_of(ada.call("GET", "/v1/projects")) == "auth-required"


def test_the_browser_s_cookie_is_for_this_host_alone_and_out_of_scripts_reach(
    world: tuple[Site, HostileProvider],
) -> None:
    site, _ = world
    address = site.call("POST", "/v1/signin", json=BODY).json()["address"]
    cookie = site.call("GET", path_of(address)).headers["set-cookie"]
    name, *flags = [part.strip().lower() for part in cookie.split(";")]
    assert name.startswith("__host-tq-signin=")
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= set(flags)
    assert not any(flag.startswith("domain") for flag in flags)


ADDRESSES = ["/signin/x", "/signin/back/idp", "/signin/back/idp?state=1&state=2", "/signin/nothing/here"]


@pytest.mark.parametrize("path", ADDRESSES)
def test_every_page_runs_nothing_and_is_kept_by_nobody(world: tuple[Site, HostileProvider], path: str) -> None:
    reply = world[0].call("GET", path)
    assert reply.status_code >= 400
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "script" not in policy
    assert reply.headers["referrer-policy"] == "no-referrer"
    if reply.headers["content-type"].startswith("text/html"):
        assert reply.headers["cache-control"] == "no-store"


def test_what_a_provider_says_is_shown_as_text(world: tuple[Site, HostileProvider]) -> None:
    site, provider = world
    provider.subject = '"><script>alert(1)</script>'
    page = through(site, provider, site.call("POST", "/v1/signin", json=BODY).json()["address"])
    assert page.status_code == 403
    assert "<script>" not in page.text


def test_somebody_unknown_is_told_what_to_tell_the_operator(world: tuple[Site, HostileProvider]) -> None:
    site, provider = world
    provider.subject = "555"
    page = through(site, provider, site.call("POST", "/v1/signin", json=BODY).json()["address"])
    assert "user link NAME --provider idp --subject 555" in page.text
    assert onward(page).params["error"] == "auth-not-linked"


@pytest.mark.parametrize(
    "wrong",
    [{"port": 80}, {"port": 70_000}, {"port": "50000"}, {"challenge": "short"}, {"state": "x" * 42}, {"strong": 1},
     {"provider": "nobody"}, {"redirect": "https://evil.test"}],
)  # fmt: skip
def test_a_client_that_asks_for_something_else_is_refused(
    world: tuple[Site, HostileProvider], wrong: dict[str, Any]
) -> None:
    assert world[0].call("POST", "/v1/signin", json=BODY | wrong).status_code >= 400


class Wired(Http):
    """The client's connection, put straight onto the application."""

    def __init__(self, site: Site) -> None:
        super().__init__("localhost:8443", AUTHORITY.certificate_pem.decode())
        self.site = site

    def _request(self, method: str, path: str, **rest: Any) -> httpx.Response:
        return replace(self.site, token=self.token).call(method, path, **rest)


def client(
    world: tuple[Site, HostileProvider], folder: Path, visit: Any, *, user: str = "ada", wait: float = 20
) -> tuple[ClientHome, int]:
    """``tq login``, with somebody who opens the address in another thread."""
    site, _ = world
    home = ClientHome(folder / "client")
    settings = ClientSettings(coordinator="localhost:8443", user=user, key="key.pem")
    home.write_settings(settings)

    def show(address: str) -> None:
        threading.Thread(target=visit, args=(address,), daemon=True).start()

    return home, sign_in_by_browser(home, settings, Wired(site), show, wait=wait)


def plain(address: httpx.URL) -> int:
    return httpx.get(str(address), trust_env=False).status_code


def test_the_client_takes_the_one_answer_that_knows_its_state(
    world: tuple[Site, HostileProvider], tmp_path: Path
) -> None:
    site, provider = world
    seen: list[int] = []

    def visit(address: str) -> None:
        home = onward(through(site, provider, address))
        seen.append(plain(home.copy_with(path="/other")))
        seen.append(plain(home.copy_set_param("state", "x" * 43)))
        seen.append(plain(httpx.URL(f"{home}&state={'x' * 43}")))
        seen.append(plain(home))

    home, expires = client(world, tmp_path, visit)
    assert expires == NOW + 8 * 3600
    kept = home.read_json(home.session)
    assert kept["user"] == "ada"
    assert home.session.stat().st_mode & 0o777 == 0o600
    assert seen[:3] == [404, 404, 404]


def test_signing_in_as_somebody_else_keeps_no_session(world: tuple[Site, HostileProvider], tmp_path: Path) -> None:
    site, provider = world

    def visit(address: str) -> None:
        plain(onward(through(site, provider, address)))

    with pytest.raises(TrustQueryError) as caught:
        client(world, tmp_path, visit, user="bob")
    assert caught.value.code == "auth-other-account"
    assert not (tmp_path / "client" / "session.json").exists()


def test_a_refusal_reaches_the_terminal(world: tuple[Site, HostileProvider], tmp_path: Path) -> None:
    site, provider = world
    provider.subject = "555"

    def visit(address: str) -> None:
        plain(onward(through(site, provider, address)))

    with pytest.raises(TrustQueryError) as caught:
        client(world, tmp_path, visit)
    assert caught.value.code == "auth-not-linked"
    assert "555" in caught.value.problem.reason


def test_nobody_who_comes_back_is_not_waited_for_for_ever(world: tuple[Site, HostileProvider], tmp_path: Path) -> None:
    assert refusal_code(lambda: client(world, tmp_path, lambda address: None, wait=0.2)) == "auth-browser"


def test_an_answer_of_another_coordinator_is_not_taken(world: tuple[Site, HostileProvider], tmp_path: Path) -> None:
    site, provider = world

    def visit(address: str) -> None:
        home = onward(through(site, provider, address))
        plain(home.copy_with(query=urlencode(dict(home.params) | {"iss": "https://evil.test"}).encode()))

    assert refusal_code(lambda: client(world, tmp_path, visit)) == "auth-browser"

"""The coordinator's own provider: a real issuer to its own relying party, that tells nobody which names exist."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from coordinator.api import make_app
from coordinator.api.limits import RateLimit
from coordinator.config import parse_settings, sample_text
from coordinator.signin.local import LocalProvider
from coordinator.signin.opening import open_desk, open_local
from coordinator.store import Store
from demo.browser import Person, field_of, onward_of
from tests.factories.documents import NOW
from tests.lib.signing_in import Clock, challenge_of
from tests.lib.site import AUTHORITY, Site, code_of, open_site
from trustquery.identity import SigningKey

VERIFIER = "v" * 43
BODY = {"challenge": challenge_of(VERIFIER), "port": 50_000, "state": "s" * 43}


class Own(httpx.AsyncBaseTransport):
    """From the coordinator's relying party to the coordinator's own provider."""

    app: httpx.ASGITransport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on."""
        return await self.app.handle_async_request(request)


class World:
    """A coordinator whose own provider is on, its clock, and people."""

    def __init__(self, folder: Path, may: str = "query") -> None:
        self.store, self.clock = Store(f"sqlite+pysqlite:///{folder}/store.sqlite"), Clock()
        self.store.create()
        (folder / "authority.pem").write_bytes(AUTHORITY.certificate_pem)
        for name in ("ada", "bob"):
            assert self.store.people.add(name, SigningKey.generate().public.hex(), NOW)
        site = open_site(self.store, folder, {}, SigningKey.generate(), burst=100_000)
        text = sample_text().replace('"demo"', '"test"').replace('local = "off"', f'local = "{may}"')
        base = replace(site.base, settings=parse_settings(text))
        local = open_local(base.settings, self.store, self.clock)
        assert local is not None
        self.local: LocalProvider = local
        own = Own()
        desk = open_desk(base.home, base.settings, self.store, self.clock, local=local, transports={"local": own})
        rate = RateLimit(burst=100_000, per_minute=1, clock=time.monotonic)
        api = replace(site.app.state.api, base=base, signin=desk, local=local, login_rate=rate)
        self.site = Site(base, make_app(api))
        own.app = httpx.ASGITransport(self.site.app)

    def person(self, name: str, *, ready: bool = True) -> Person:
        """Somebody at their browser, whose account is set up."""
        found = Person(name, "four words nobody says", self.site.call, self.clock)
        if ready:
            assert "is ready" in found.set_up(self.local.invite(name)).text
        return found

    def begin(self, **more: object) -> str:
        return str(self.site.call("POST", "/v1/signin", json=BODY | more).json()["address"])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.store.close()


def session(world: World, page: httpx.Response) -> dict[str, object]:
    code = onward_of(page).params["code"]
    return dict(world.site.call("POST", "/v1/signin/token", json={"code": code, "verifier": VERIFIER}).json())


def test_somebody_sets_up_an_account_and_signs_in_through_the_same_relying_party(world: World) -> None:
    ada = world.person("ada")
    found = session(world, ada.sign_in(world.begin()))
    assert (found["user"], found["level"]) == ("ada", 2)


def test_a_password_and_a_code_are_strong_only_where_the_settings_say_so(world: World, tmp_path: Path) -> None:
    ada = world.person("ada")
    sent = ada.fill_in(ada.form(world.begin(strong=True)))
    refused = ada.send("GET", httpx.URL(sent.headers["location"]).raw_path.decode())
    assert "strongly enough" in refused.text
    (tmp_path / "other").mkdir()
    other = World(tmp_path / "other", may="approve")
    assert session(other, other.person("ada").sign_in(other.begin(strong=True)))["level"] == 3


def test_a_one_time_code_is_good_once(world: World) -> None:
    ada = world.person("ada")
    first = ada.form(world.begin())
    assert ada.fill_in(first).status_code == 303
    again = ada.form(world.begin())
    assert ada.fill_in(again).status_code == 403  # the same half minute
    assert ada.fill_in(again, code=ada.code(-1)).status_code == 403  # an earlier one
    world.clock.now += 30
    assert ada.fill_in(again).status_code == 303


def test_a_form_belongs_to_one_browser(world: World) -> None:
    ada, eve = world.person("ada"), world.person("bob")
    page = ada.form(world.begin())
    eve.cookies["__Host-tq-local"] = "0" * 64
    assert "another browser" in eve.fill_in(page).text
    assert ada.fill_in(page, request="0" * 64).status_code >= 400


@pytest.mark.acceptance("WEB-06")
def test_a_known_and_an_unknown_name_get_the_same_answer(world: World) -> None:
    ada = world.person("ada")
    page = ada.form(world.begin())
    answers = {
        name: ada.fill_in(page, user=name, password=password, code=code)
        for name, password, code in (
            ("ada", "wrong words here", ada.code()),
            ("nobody", "wrong words here", "123456"),
            ("bob", "wrong words here", "123456"),  # known, and not set up
            ("ADA", ada.password, "000000"),
        )
    }
    bodies = {(reply.status_code, reply.text, tuple(sorted(reply.headers))) for reply in answers.values()}
    assert len(bodies) == 1
    assert field_of(page, "request") in next(iter(bodies))[1]


@pytest.mark.acceptance("WEB-06")
def test_locking_out_tells_nobody_which_names_there_are_and_ends_by_itself(world: World) -> None:
    ada = world.person("ada")
    page = ada.form(world.begin())

    def tries(name: str, count: int = 5) -> set[tuple[int, str]]:
        replies = [ada.fill_in(page, user=name, password="wrong words here") for _ in range(count)]
        return {(reply.status_code, reply.text) for reply in replies}

    assert tries("ada") == tries("nobody")
    waiting = [world.store.local_accounts.waits(name, world.clock.now) for name in ("ada", "nobody")]
    assert waiting == [True, True]
    # The right password is told apart from a wrong one by nobody who has to wait.
    assert ada.fill_in(page).status_code == 403
    assert ada.fill_in(page).text == ada.fill_in(page, user="nobody").text
    # Trying on does not make the wait longer.
    world.clock.now += 30
    assert ada.fill_in(page).status_code == 303


@pytest.mark.slow
@pytest.mark.acceptance("WEB-06")
def test_the_time_tells_no_name(world: World) -> None:
    """A slice of the full size: 150 each. The bound leaves three standard deviations of an even chance (0.033)."""
    ada = world.person("ada")
    took: dict[str, list[float]] = {"ada": [], "nobody": []}
    for _ in range(150):
        for name, times in took.items():
            world.clock.now += 900
            page = ada.form(world.begin())
            began = time.perf_counter()
            ada.fill_in(page, user=name, password="wrong words here", code="123456")
            times.append(time.perf_counter() - began)
    pairs = [(known > unknown) + (known == unknown) / 2 for known in took["ada"] for unknown in took["nobody"]]
    assert abs(statistics.mean(pairs) - 0.5) <= 0.03 + 3 * 0.033


def test_a_set_up_code_is_good_once_and_for_a_day(world: World) -> None:
    code = world.local.invite("ada")
    ada = world.person("ada", ready=False)
    assert ada.set_up("0" * 32).status_code == 401
    assert "is ready" in ada.set_up(code).text
    assert ada.set_up(code).status_code == 401
    late = world.local.invite("bob")
    world.clock.now += 86_400
    assert world.person("bob", ready=False).set_up(late).status_code == 401
    assert world.local.invite("nobody") == ""


def test_a_short_password_and_one_with_the_name_are_refused(world: World) -> None:
    ada = world.person("ada", ready=False)
    code = world.local.invite("ada")
    for password in ("eleven char", "my name is Ada, hello", "x" * 129):
        ada.password = password
        assert ada.set_up(code).status_code == 400
    assert world.store.local_accounts.find("ada").password == ""  # type: ignore[union-attr]


def test_a_lost_second_factor_is_forgotten_at_once_and_set_up_anew(world: World) -> None:
    ada = world.person("ada")
    token = str(session(world, ada.sign_in(world.begin()))["token"])
    world.clock.now += 30
    assert world.store.local_accounts.forget("ada")
    assert code_of(replace(world.site, token=token).call("GET", "/v1/projects")) == "auth-required"
    assert ada.fill_in(ada.form(world.begin())).status_code == 403
    subject = world.store.local_accounts.find("ada")
    anew = world.person("ada")
    assert session(world, anew.sign_in(world.begin()))["user"] == "ada"
    found = world.store.local_accounts.find("ada")
    assert subject is not None
    assert found is not None
    assert found.subject == subject.subject


def test_a_disabled_person_does_not_come_in(world: World) -> None:
    ada = world.person("ada")
    assert world.store.people.disable("ada")
    assert ada.fill_in(ada.form(world.begin())).status_code == 403


TOKEN = {"grant_type": "authorization_code", "client_id": "coordinator", "code": "0" * 64, "code_verifier": VERIFIER}


@pytest.mark.parametrize(
    "form",
    [TOKEN, TOKEN | {"client_secret": ""}, TOKEN | {"client_secret": "guess"}, {}, {"grant_type": "refresh_token"},
     {"grant_type": "password", "username": "ada", "password": "x"}],
)  # fmt: skip
def test_the_token_address_gives_nothing_to_others(world: World, form: dict[str, str]) -> None:
    assert world.person("ada", ready=False).send("POST", "/local/token", form).status_code >= 400


@pytest.mark.parametrize(
    "changed",
    [{"redirect_uri": "https://evil.test/"}, {"client_id": "x"}, {"response_type": "token"}, {"state": ""},
     {"code_challenge_method": "plain"}, {"code_challenge": ""}, {"nonce": ""}],
)  # fmt: skip
def test_a_request_that_is_not_our_own_gets_no_form(world: World, changed: dict[str, str]) -> None:
    ada = world.person("ada", ready=False)
    opened = ada.send("GET", httpx.URL(world.begin()).raw_path.decode())
    address = httpx.URL(opened.headers["location"])
    reply = ada.send("GET", address.copy_merge_params(changed).raw_path.decode())
    assert reply.status_code >= 400
    assert "<form" not in reply.text


def test_nothing_that_signs_in_stands_in_the_database_as_it_is(world: World, tmp_path: Path) -> None:
    ada = world.person("ada")
    code = world.local.invite("bob")
    found = session(world, ada.sign_in(world.begin()))
    kept = (tmp_path / "store.sqlite").read_bytes()
    for secret in (ada.password, code, str(found["token"])):
        assert secret.encode() not in kept
    assert b"$argon2id$" in kept

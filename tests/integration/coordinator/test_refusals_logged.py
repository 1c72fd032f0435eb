"""AUD-06: each refusal, and each failed sign-in, is in one entry of the log; a flood of them is in a few."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from structlog.testing import capture_logs

from coordinator.store import Store
from coordinator.store.tallies import FREE_DENIALS, HOUR, MOST_APART
from tests.factories.documents import NOW, permit
from tests.lib.hostile_provider import ISSUER
from tests.lib.public_site import PublicSite
from tests.lib.review_site import ReviewSite
from tests.lib.signing_in import open_signing_in
from tests.lib.site import Site, code_of, fresh_store, open_site, project_row, put_project
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey
from trustquery.log import TEXTS, Entry

ADA, EVE, ANN, BOB = (SigningKey.generate() for _ in range(4))
LATER = NOW + 2 * HOUR


@pytest.fixture
def site(store: Store, tmp_path: Path) -> Site:
    made = open_site(store, tmp_path, {"ann": ANN, "bob": BOB}, SigningKey.generate(), burst=10_000)
    for name, key in (("ada", ADA), ("eve", EVE)):
        store.people.add(name, key.public.hex(), NOW)
    put_project(store, project_row(permit(ADA), ANN, BOB))
    return made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReviewSite]:
    store = fresh_store(tmp_path)
    yield ReviewSite(PublicSite(store, tmp_path))
    store.close()


def since(store: Store, before: int) -> list[tuple[str, str, str]]:
    """Kind, and what the commitments hide, of every entry from there on."""
    found = []
    for payload in store.audit.payloads(before, 10_000):
        entry = Entry.from_payload(payload)
        _, person, words = store.audit.opened(entry.seq) or (b"", "", "")
        found.append((entry.kind, person, words))
    return found


def refused(site: Site, path: str, times: int = 1, *, user: str = "eve", code: str) -> None:
    asking = site.as_user(user)
    for _ in range(times):
        assert code_of(asking.call("GET", path)) == code


@pytest.mark.acceptance("AUD-06")
@pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)
def test_what_is_counted_is_one_entry_when_its_hour_is_over(site: Site) -> None:
    store = site.base.store
    for _ in range(3):
        assert site.login("ada", EVE).status_code == 401
    assert site.login("nobody-here", EVE).status_code == 401
    refused(site, "/v1/projects/stays", 2, code="project-unknown")
    before = store.audit.size()
    assert store.tallies.close(NOW) == 0
    assert since(store, before) == []
    assert store.tallies.close(LATER) == 3
    assert sorted(since(store, before)) == [
        ("access.deny", "eve", "project.read: 2 times"),
        ("session.fail", "(nobody)", "key: once"),
        ("session.fail", "ada", "key: 3 times"),
    ]
    # Once: whoever looks again finds nothing, and the next hour counts anew.
    assert store.tallies.close(LATER) == 0


@pytest.mark.acceptance("AUD-06")
def test_an_access_that_is_refused_is_not_said_of_who_may(site: Site) -> None:
    assert site.as_user("ada").call("GET", "/v1/projects/stays").status_code == 200
    assert site.login("ada", ADA).status_code == 200
    before = site.base.store.audit.size()
    assert site.base.store.tallies.close(LATER) == 0
    assert since(site.base.store, before) == []


@pytest.mark.acceptance("AUD-06")
def test_noise_of_nobody_is_in_no_entry(site: Site) -> None:
    before = site.base.store.audit.size()
    for path in ("/v1/projects", "/v1/queries", "/nowhere", "/v1/enrolment/RX9"):
        assert site.call("GET", path).status_code >= 400
    assert site.call("POST", "/v1/login", json={"user": "ada"}).status_code == 400
    assert site.call("POST", "/v1/signin/token", json={"code": "ab" * 32, "verifier": "v" * 43}).status_code == 401
    assert site.call("GET", "/signin/back/idp?state=x").status_code >= 400
    assert site.base.store.tallies.close(LATER) == 0
    assert site.base.store.audit.size() == before


@pytest.mark.acceptance("AUD-06")
@pytest.mark.parametrize(
    ("project", "known"), [("stays", "stays"), ("nowhere", ""), ("draft", "")], ids=["public", "unknown", "draft"]
)
def test_a_question_to_a_project_of_others_is_a_refused_question_and_nothing_else(
    site: Site, project: str, known: str
) -> None:
    body = {"project": project, "sql": "SELECT 1", "model": "{}", "intent": "{}", "epsilon": "0.1"}
    before = site.base.store.audit.size()
    asking = site.as_user("eve")
    opened_ = site.base.store.audit.size()
    assert code_of(asking.call("POST", "/v1/queries", json=body)) == "project-unknown"
    site.base.store.tallies.close(LATER)
    assert opened_ - before == 1
    assert since(site.base.store, opened_) == [("query.deny", "eve", "project-unknown: SELECT 1")]
    assert Entry.from_payload(site.base.store.audit.payloads(opened_, 1)[0]).project == known


@pytest.mark.acceptance("AUD-06")
def test_a_question_is_taken_or_refused_and_says_one_of_the_two(world: ReviewSite) -> None:
    store = world.site.store
    project = world.site.project()
    world.submit(project, "a1" * 32)
    before = store.audit.size()
    reply, _ = world.submit(project, "a1" * 32)
    assert code_of(reply) == "node-release-conflict"
    found = [row for row in since(store, before) if row[0].startswith("query.")]
    assert [(kind, person) for kind, person, _ in found] == [("query.deny", "ada")]
    assert found[0][2].startswith("node-release-conflict: SELECT")


@pytest.mark.acceptance("AUD-06")
def test_a_fault_after_a_question_was_taken_leaves_its_one_entry(world: ReviewSite) -> None:
    """What follows the commit fails: whoever asked sees a fault, and the log says what was done."""
    store = world.site.store
    project = world.site.project()
    with store.transaction() as session:
        session.execute(text("CREATE TRIGGER full BEFORE UPDATE ON queries BEGIN SELECT RAISE(ABORT, 'full'); END"))
    before = store.audit.size()
    with capture_logs():  # A traceback takes half a minute to be made beautiful.
        reply, _ = world.submit(project, "a1" * 32)
    assert (reply.status_code, code_of(reply)) == (500, "internal-fault")
    assert [kind for kind, _, _ in since(store, before) if kind.startswith("query.")] == ["query.ask"]
    assert store.queries.get("a1" * 32) is not None


@pytest.mark.acceptance("AUD-06")
def test_a_refusal_that_nobody_could_be_told_of_has_its_one_entry(site: Site) -> None:
    store, asking = site.base.store, site.as_user("eve")
    body = {"project": "stays", "sql": "SELECT 1", "model": "{}", "intent": "{}", "epsilon": "0.1"}
    before = store.audit.size()

    def broken(_request: object, _error: object) -> NoReturn:
        raise RuntimeError

    site.app.exception_handlers[TrustQueryError] = broken
    with capture_logs():
        assert asking.call("GET", "/v1/projects/stays").status_code == 500
        assert asking.call("POST", "/v1/queries", json=body).status_code == 500
    store.tallies.close(LATER)
    assert [kind for kind, _, _ in since(store, before)] == ["query.deny", "access.deny"]


@pytest.mark.acceptance("AUD-06")
def test_a_flood_is_a_few_entries(site: Site) -> None:
    store = site.base.store
    before = store.audit.size()
    for number in range(MOST_APART + 10):
        store.tallies.failed_sign_in(f"name-{number}", "key", NOW + number)
        store.tallies.failed_sign_in("ada", "key", NOW + number)
        store.tallies.deny("", "eve", "SELECT 1", NOW + number)
        store.tallies.refused("eve", f"action-{number}", NOW + number)
    hours = {(NOW + number) // HOUR for number in range(MOST_APART + 10)}
    store.tallies.close(LATER)
    found = since(store, before)
    assert len(found) <= len(hours) * (2 * (MOST_APART + 1) + FREE_DENIALS + 1)
    # And yet each one is counted.
    assert total(found, "session.fail") == 2 * (MOST_APART + 10)
    assert total(found, "access.deny") == MOST_APART + 10
    assert sum(kind == "query.deny" for kind, _, _ in found) + total(found, "query.deny-more") == MOST_APART + 10


def total(found: list[tuple[str, str, str]], kind: str) -> int:
    words = [said.rpartition(": ")[2] for which, _, said in found if which == kind]
    return sum(1 if word == "once" else int(word.split()[0]) for word in words)


@pytest.mark.acceptance("AUD-06")
def test_the_log_does_not_tell_which_names_exist(site: Site) -> None:
    """Both look the same but for numbers and commitments: entries, and how often each is written."""
    store, shapes = site.base.store, []
    for hour, names in enumerate((["ada"], ["nobody-here"], ["ada", "eve"], ["x", "y"], ["ADA", "ada"], ["X", "x"])):
        before, now = store.audit.size(), NOW + hour * 3 * HOUR
        for name in names:
            store.tallies.failed_sign_in(name, "password", now)
        store.tallies.close(now + 2 * HOUR)
        added = [Entry.from_payload(payload) for payload in store.audit.payloads(before, 100)]
        hidden = {"seq", "on", "person_commitment", "words_commitment"}
        shapes.append([entry.model_dump(exclude=hidden) for entry in added])
        assert all(entry.person_commitment and entry.words_commitment for entry in added)
    assert shapes[0] == shapes[1] == shapes[4] == shapes[5]
    assert shapes[2] == shapes[3]
    assert len(shapes[2]) == 2


@pytest.mark.acceptance("AUD-06")
def test_a_count_that_cannot_be_logged_stays_counted(site: Site) -> None:
    store = site.base.store
    store.tallies.failed_sign_in("ada", "key", NOW)
    with store.transaction() as session:
        session.execute(
            text("CREATE TRIGGER full BEFORE INSERT ON audit_entries BEGIN SELECT RAISE(ABORT, 'full'); END")
        )
    with pytest.raises((TrustQueryError, DatabaseError)):
        store.tallies.close(LATER)
    with store.transaction() as session:
        session.execute(text("DROP TRIGGER full"))
    before = store.audit.size()
    assert store.tallies.close(LATER) == 1
    assert since(store, before) == [("session.fail", "ada", "key: once")]


def test_who_is_forgotten_is_forgotten_in_what_is_still_counted(site: Site) -> None:
    store = site.base.store
    refused(site, "/v1/projects/stays", code="project-unknown")
    store.tallies.failed_sign_in("eve", "key", NOW)
    store.audit.erase("eve")
    before = store.audit.size()
    store.tallies.close(LATER)
    assert {person for _, person, _ in since(store, before)} == {"(nobody)"}


@pytest.mark.acceptance("AUD-07")
def test_a_name_that_somebody_typed_is_in_no_entry(site: Site) -> None:
    path = Path(__file__).parents[2] / "security" / "naughty_strings.toml"
    groups = tomllib.loads(path.read_text(encoding="utf-8")).values()
    all_of_them = [str(item) for group in groups for item in group["texts"]]
    texts = [*all_of_them[::6], "a\nb", "\x1b[31m"]
    store = site.base.store
    before = store.audit.size()
    for number, item in enumerate(texts):
        store.tallies.failed_sign_in(item, "password", NOW + number * HOUR)
    store.tallies.close(NOW + (len(texts) + 2) * HOUR)
    added = store.audit.payloads(before, 10_000)
    assert len(added) == len(texts)
    for payload in added:
        assert payload.isascii()
        assert payload.decode().isprintable()
        assert Entry.from_payload(payload).text == TEXTS["session.fail"]
    assert {person for _, person, _ in since(store, before)} == {"(nobody)"}


@pytest.mark.acceptance("AUD-06")
def test_what_fails_at_a_provider_or_after_it_is_counted(tmp_path: Path) -> None:
    signing_in = open_signing_in(tmp_path)
    store, before = signing_in.store, signing_in.store.audit.size()
    with pytest.raises(TrustQueryError):
        signing_in.sign_in(iss="https://somebody.example")
    answer, cookie = signing_in.answered()
    onward, _ = asyncio.run(signing_in.desk.back("idp", answer, cookie))
    code = dict(parse_qsl(urlsplit(onward).query))["code"]
    for _ in range(2):  # The code of nobody, the second time: that is noise.
        with pytest.raises(TrustQueryError):
            signing_in.desk.redeem(code, "w" * 43)
    assert store.signins.unlink(ISSUER, "910000000001")
    with pytest.raises(TrustQueryError):
        signing_in.sign_in()
    store.tallies.close(LATER)
    assert sorted(row for row in since(store, before) if row[0] == "session.fail") == [
        ("session.fail", "(nobody)", f"{ISSUER}: once"),
        ("session.fail", "(nobody)", f"{ISSUER}: once"),
        ("session.fail", "ada", "a client's code: once"),
    ]
    store.close()

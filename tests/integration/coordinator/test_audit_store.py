"""The log is written with what it records, or neither is; and what it hides can be opened, and erased."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from coordinator.store import NodeRow, Store
from coordinator.store.models import DocumentRow
from tests.factories.documents import NOW
from trustquery.access import Held, Role
from trustquery.errors import TrustQueryError
from trustquery.log import TEXTS, Entry, commit

TODAY = "2026-09-21"
NAUGHTY = Path(__file__).parents[2] / "security" / "naughty_strings.toml"


def entries(store: Store) -> list[Entry]:
    return [Entry.from_payload(payload) for payload in store.audit.payloads(0, 10_000)]


def kinds(store: Store) -> list[str]:
    return [entry.kind for entry in entries(store)]


def node(status: str = "pending") -> NodeRow:
    return NodeRow(
        ods="RX1", name="Ash", identity_key="00" * 32, request_pem="", tls_key_sha256="", status=status, words="",
        enrolled=NOW,
    )  # fmt: skip


CHANGES: list[tuple[str, list[str], Callable[[Store], object]]] = [
    ("an account", ["account.add"], lambda s: s.people.add("ann", "aa" * 32, NOW)),
    ("a role", ["role.give"], lambda s: s.roles.grant("eve", Held(Role.AUDITOR), NOW)),
    ("a role that is held", [], lambda s: s.roles.grant("eve", Held(Role.ANALYST), NOW + 1)),
    ("a role taken", ["role.take"], lambda s: s.roles.revoke("eve", Held(Role.ANALYST))),
    ("a deputy", ["deputy.name"], lambda s: s.roles.deputise("eve", "bob")),
    ("an organisation", ["account.move"], lambda s: s.roles.move("eve", "RX1")),
    ("a link", ["account.link"], lambda s: s.signins.link("https://i", "sub", "eve", NOW)),
    ("a set-up code", ["account.secrets"], lambda s: s.local_accounts.invite("eve", "https://l", "s", "ab", NOW, NOW)),
    ("the end of an account", ["account.disable"], lambda s: s.people.disable("eve")),
    ("signing in", ["session.open"], lambda s: s.sessions.open("t2", 1, NOW + 9, NOW, level=3, auth_time=NOW)),
    ("signing out", ["session.close"], lambda s: s.sessions.close("t1")),
    ("signing out twice", [], lambda s: s.sessions.close("none")),
    ("an invitation", ["node.invite"], lambda s: s.nodes.invite("c2", "RX2", "Elm", NOW + 9)),
    ("an enrolment", ["node.ask"], lambda s: s.nodes.enrol("c1", node(), NOW)),
    ("a document", ["document.install"], lambda s: s.nodes.install(_document())),
    ("a policy", ["policy.change"], lambda s: s.audit.policy("RX1", "ab" * 32)),
    ("a question that is refused", ["query.deny"], lambda s: s.tallies.deny("p", "eve", "SELECT 1", NOW)),
    ("reading", [], lambda s: (s.people.everyone(), s.audit.size(), s.sessions.find("t1", NOW, 900))),
]


def _document() -> DocumentRow:
    return DocumentRow(kind="roster", version=1, sha256="ab" * 32, envelope=b"x", installed=NOW)


@pytest.fixture
def ready(tmp_path: Path) -> Store:
    store = Store(f"sqlite+pysqlite:///{tmp_path}/store.sqlite", lambda: NOW)
    store.create()
    for name, letter in (("eve", "e"), ("bob", "b")):
        assert store.people.add(name, letter * 64, NOW)
    assert store.sessions.open("t1", 1, NOW + 3600, NOW, level=3, auth_time=NOW)
    store.nodes.invite("c1", "RX1", "Ash", NOW + 3600)
    return store


@pytest.mark.acceptance("AUD-06")
@pytest.mark.parametrize(("expected", "change"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_change_is_one_entry(ready: Store, expected: list[str], change: Callable[[Store], object]) -> None:
    before = ready.audit.size()
    change(ready)
    assert kinds(ready)[before:] == expected
    assert [entry.seq for entry in entries(ready)] == list(range(1, ready.audit.size() + 1))
    assert {entry.on for entry in entries(ready)} == {TODAY}


@pytest.mark.acceptance("AUD-06")
@pytest.mark.parametrize("table", ["audit_entries", "audit_head", "audit_secrets"])
def test_what_cannot_be_logged_is_not_done(ready: Store, table: str) -> None:
    before = kinds(ready)
    with ready.transaction() as session:
        verb = "UPDATE" if table == "audit_head" else "INSERT"
        session.execute(
            text(f"CREATE TRIGGER full BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        )
    with pytest.raises((TrustQueryError, DatabaseError)):
        ready.people.add("ann", "aa" * 32, NOW)
    with pytest.raises((TrustQueryError, DatabaseError)):
        ready.sessions.open("t3", 1, NOW + 9, NOW, level=3, auth_time=NOW)
    assert ready.people.find("ann") is None
    assert ready.sessions.find("t3", NOW, 900) is None
    assert kinds(ready) == before


def test_what_is_not_done_is_not_logged(ready: Store) -> None:
    before = ready.audit.size()

    def half_done() -> None:
        with ready.transaction() as session:
            session.add(node())
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_done()
    assert ready.audit.size() == before


def test_persons_and_words_are_hidden_and_can_be_opened_until_they_are_erased(ready: Store) -> None:
    ready.tallies.deny("", "eve", "SELECT secret_thing", NOW)
    ready.tallies.deny("", "eve", "SELECT secret_thing", NOW)
    first, second = entries(ready)[-2:]
    assert b"eve" not in first.payload()
    assert b"secret_thing" not in first.payload()
    # Each entry has a salt of its own: two of one person do not look alike.
    assert first.person_commitment != second.person_commitment
    assert first.words_commitment != second.words_commitment
    opened = ready.audit.opened(first.seq)
    assert opened is not None
    salt, person, words = opened
    assert (person, words) == ("eve", "SELECT secret_thing")
    assert first.person_commitment == commit(salt, "person", "eve")
    assert first.words_commitment == commit(salt, "words", "SELECT secret_thing")
    size = ready.audit.size()
    assert ready.audit.erase("eve") >= 3
    assert ready.audit.opened(first.seq) is None
    assert ready.audit.size() == size
    assert entries(ready)[first.seq - 1] == first


def test_a_clock_that_goes_back_puts_no_day_out_of_order(tmp_path: Path) -> None:
    now = [NOW]
    store = Store(f"sqlite+pysqlite:///{tmp_path}/store.sqlite", lambda: now[0])
    store.create()
    store.audit.policy("RX1", "ab" * 32)
    now[0] -= 10 * 86_400
    store.audit.policy("RX1", "cd" * 32)
    store.audit.policy("RX1", "cd" * 32)
    assert [(entry.kind, entry.on) for entry in entries(store)] == [("policy.change", TODAY)] * 2
    store.close()


def naughty() -> list[str]:
    found = tomllib.loads(NAUGHTY.read_text(encoding="utf-8"))
    texts = [text for group in found.values() for text in group["texts"]]
    return [str(text) for text in texts] + [
        "a\nb",
        "\x1b[31mred\x1b[0m",
        '","seq":1}\n{"seq":2',
        "\u2028",
        "\r\n\r\n",
        "\x85",
    ]


@pytest.mark.acceptance("AUD-07")
def test_nobodys_words_stand_in_an_entry(ready: Store) -> None:
    """Each naughty text as a name, a reason or a question: every entry stays one plain line of its kind."""
    texts = naughty()
    assert len(texts) > 50
    before = ready.audit.size()
    with ready.projects.change("p", NOW) as change:
        for text_ in texts:
            change.note("approve", text_, text_)
            change.note("edit", text_, text_, public=False)
    for text_ in texts:
        ready.tallies.deny("", text_, text_, NOW)
    added = ready.audit.payloads(before, 10_000)
    assert len(added) == 3 * len(texts)
    for payload in added:
        assert payload.isascii()
        assert payload.decode().isprintable()
        assert payload.count(b'"seq":') == 1
        assert Entry.from_payload(payload).text == TEXTS[Entry.from_payload(payload).kind]
    # And what was hidden can still be opened, to the letter.
    opened = ready.audit.opened(ready.audit.size())
    assert opened is not None
    assert opened[2] == texts[-1]


@pytest.mark.parametrize("text_", ["p\n", "é", "x" * 65, "../x", '"', "\x1b"])
def test_a_name_that_is_none_stops_the_act(ready: Store, text_: str) -> None:
    before = ready.audit.size()
    with pytest.raises(TrustQueryError) as caught, ready.projects.change(text_, NOW) as change:
        change.note("approve", "x", "x")
    assert caught.value.code == "log-unwritable"
    assert ready.audit.size() == before

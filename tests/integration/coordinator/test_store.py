"""What the store promises, on SQLite and on PostgreSQL: once means once, late means late, versions only go up."""

import contextlib
import threading

import pytest

from coordinator.queries.machine import OPEN, State, before
from coordinator.store import AnswerRow, NodeRow, ProjectRow, QueryRow, Store
from coordinator.store.models import DocumentRow
from tests.lib.site import put_project

NOW = 1_790_000_000
KEY = "aa" * 32
pytestmark = pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)


def node(ods: str) -> NodeRow:
    return NodeRow(
        ods=ods, name="Trust", identity_key=KEY, request_pem="", tls_key_sha256=KEY, certificate_pem="", serial="",
        status="pending", words="one two", enrolled=NOW, last_seen=0,
    )  # fmt: skip


def query(store: Store, release_id: str = "ab" * 32, state: State = State.ACCEPTED) -> str:
    store.people.add("ada", KEY, NOW)
    put_project(store, ProjectRow(name="stays", version=1, permit=b"", permit_hash=KEY, state="live", added=NOW))
    row = QueryRow(
        release_id=release_id, user_id=1, project="stays", dataset="omop-5.4", sql="SELECT", query_hash=KEY,
        plan_hash=KEY, vector_length=1, intent=b"", permit=b"", model=b"", nodes="RX1 RX2", state=state.value,
        created=NOW, closes_at=NOW + 60, closed=0,
    )  # fmt: skip
    assert store.queries.add(row)
    return release_id


def test_parameters_and_public_tables_are_kept_with_a_query_and_each_table_once(store: Store) -> None:
    first = query(store)
    assert store.queries.parameters(first) == "{}"
    for release_id in ("cd" * 32, "ef" * 32):
        row = QueryRow(
            release_id=release_id, user_id=1, project="stays", dataset="omop-5.4", sql="SELECT", query_hash=KEY,
            plan_hash=KEY, vector_length=1, intent=b"", permit=b"", model=b"", nodes="RX1 RX2", state="accepted",
            created=NOW, closes_at=NOW + 60, closed=0,
        )  # fmt: skip
        assert store.queries.add(row, parameters='{"x": 1}', tables={"11" * 32: b"one", "22" * 32: b"two"})
        assert not store.queries.add(row, parameters='{"x": 2}', tables={"33" * 32: b"three"})
    assert store.queries.parameters("cd" * 32) == '{"x": 1}'
    assert store.queries.tables(["22" * 32, "11" * 32, "33" * 32]) == [b"one", b"two"]


def answer(release_id: str, node: str, rho_nano: int = 5, envelope: bytes = b"e") -> AnswerRow:
    return AnswerRow(
        release_id=release_id, node=node, envelope=envelope, vector=b"", status="answer", rho_nano=rho_nano,
        late=False, received=NOW,
    )  # fmt: skip


def test_a_name_and_a_key_belong_to_one_user(store: Store) -> None:
    assert store.people.add("ada", KEY, NOW)
    assert not store.people.add("ada", "bb" * 32, NOW)
    assert not store.people.add("bob", KEY, NOW)


def test_a_challenge_works_once_for_its_name_in_its_time(store: Store) -> None:
    for nonce, name, at, good in [
        ("a" * 64, "ada", NOW + 119, True),
        ("b" * 64, "bob", NOW, False),
        ("c" * 64, "ada", NOW + 120, False),
    ]:
        store.people.add_challenge(nonce, "ada", NOW + 120, NOW)
        assert store.people.take_challenge(nonce, name, at) is good
        assert not store.people.take_challenge(nonce, "ada", NOW)
    assert not store.people.take_challenge("d" * 64, "ada", NOW)


IDLE = 900


def test_a_session_ends_with_time_and_with_its_user(store: Store) -> None:
    store.people.add("ada", KEY, NOW)
    user = store.people.find("ada")
    assert user is not None

    def begin(token: str) -> bool:
        return store.sessions.open(token, user.id, NOW + 10, NOW, level=2, auth_time=NOW)

    assert begin("t1")
    assert store.sessions.find("t1", NOW + 9, IDLE) is not None
    assert store.sessions.find("t1", NOW + 10, IDLE) is None
    store.sessions.close("t1")
    assert store.sessions.find("t1", NOW, IDLE) is None
    assert begin("t2")
    assert store.people.disable("ada")
    assert store.sessions.find("t2", NOW, IDLE) is None
    assert store.people.find("ada") is None
    # Who was disabled while they signed in gets no session by it.
    assert not begin("t3")


def test_a_session_that_nobody_uses_ends_after_its_idle_time_and_does_not_come_back(store: Store) -> None:
    store.people.add("ada", KEY, NOW)
    user = store.people.find("ada")
    assert user is not None
    assert store.sessions.open("t", user.id, NOW + 28_800, NOW, level=2, auth_time=NOW)
    at = NOW
    for _ in range(4):  # in use: it lives on past its first quarter of an hour
        at += IDLE
        assert store.sessions.find("t", at, IDLE) is not None
    assert store.sessions.find("t", at + IDLE + 1, IDLE) is None
    assert store.sessions.find("t", at, IDLE) is None


def test_a_session_is_strong_by_its_level_and_for_five_minutes(store: Store) -> None:
    store.people.add("ada", KEY, NOW)
    user = store.people.find("ada")
    assert user is not None
    for token, level, age in (("strong", 3, 0), ("plain", 2, 0), ("old", 3, 301)):
        assert store.sessions.open(token, user.id, NOW + 28_800, NOW, level=level, auth_time=NOW - age)
    found = {token: store.sessions.find(token, NOW, IDLE) for token in ("strong", "plain", "old")}
    assert {token: live.strong(NOW, 300) for token, live in found.items() if live is not None} == {
        "strong": True, "plain": False, "old": False,
    }  # fmt: skip
    live = found["strong"]
    assert live is not None
    assert live.strong(NOW + 300, 300)
    assert not live.strong(NOW + 301, 300)


def test_an_invitation_is_used_once_by_its_own_trust_in_time(store: Store) -> None:
    store.nodes.invite("c1", "RX1", "Trust", NOW + 100)
    assert not store.nodes.enrol("c1", node("RX2"), NOW)
    assert not store.nodes.enrol("c1", node("RX1"), NOW + 100)
    assert not store.nodes.enrol("other", node("RX1"), NOW)
    assert store.nodes.enrol("c1", node("RX1"), NOW)
    assert not store.nodes.enrol("c1", node("RX1"), NOW)
    assert store.nodes.enrolled_by("c1", "RX1", NOW) is not None
    assert store.nodes.enrolled_by("c1", "RX2", NOW) is None
    assert store.nodes.enrolled_by("c1", "RX1", NOW + 100) is None


def test_a_newer_invitation_ends_the_older(store: Store) -> None:
    store.nodes.invite("c1", "RX1", "Trust", NOW + 100)
    store.nodes.invite("c2", "RX1", "Trust", NOW + 100)
    assert not store.nodes.enrol("c1", node("RX1"), NOW)
    assert store.nodes.enrol("c2", node("RX1"), NOW)


def test_only_a_pending_node_is_approved(store: Store) -> None:
    assert not store.nodes.approve("RX1", "pem", "1")
    store.nodes.invite("c1", "RX1", "Trust", NOW + 100)
    store.nodes.enrol("c1", node("RX1"), NOW)
    assert store.nodes.approve("RX1", "pem", "1")
    assert not store.nodes.approve("RX1", "pem", "2")
    assert store.nodes.revoke("RX1")
    assert not store.nodes.approve("RX1", "pem", "3")


def test_document_versions_only_go_up(store: Store) -> None:
    def document(version: int) -> DocumentRow:
        return DocumentRow(kind="roster", version=version, sha256=KEY, envelope=b"", installed=NOW)

    assert [store.nodes.install(document(version)) for version in (2, 2, 1, 3)] == [True, False, False, True]
    found = store.nodes.document("roster")
    assert found is not None
    assert found.version == 3


def test_a_release_id_is_used_once(store: Store) -> None:
    release_id = query(store)
    again = QueryRow(
        release_id=release_id, user_id=1, project="stays", dataset="", sql="", query_hash="", plan_hash="",
        vector_length=1, intent=b"", permit=b"", model=b"", nodes="", state="accepted", created=0, closes_at=0,
    )  # fmt: skip
    assert not store.queries.add(again)


def test_the_first_answer_stays_and_a_late_one_is_marked(store: Store) -> None:
    release_id = query(store)
    assert store.queries.add_answer(answer(release_id, "RX1", envelope=b"first"), in_time=OPEN)
    assert not store.queries.add_answer(answer(release_id, "RX1", envelope=b"second"), in_time=OPEN)
    assert store.queries.move(release_id, before=OPEN, after=State.CLOSING)
    assert store.queries.add_answer(answer(release_id, "RX2"), in_time=OPEN)
    found = store.queries.answers(release_id)
    assert [(row.node, row.envelope, row.late) for row in found] == [("RX1", b"first", False), ("RX2", b"e", True)]
    assert not store.queries.add_answer(answer("cd" * 32, "RX1"), in_time=OPEN)
    assert store.queries.charged("stays") == [("RX1", 5, 1), ("RX2", 5, 1)]


def test_a_state_changes_once_however_many_try(store: Store) -> None:
    release_id = query(store)
    won: list[bool] = []

    def attempt() -> None:
        won.append(store.queries.move(release_id, before=before(State.CLOSING), after=State.CLOSING))

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_only_ones_own_queries_are_found_by_prefix(store: Store) -> None:
    query(store, "ab" * 32)
    query(store, "ab" * 31 + "cd")
    assert store.queries.of_user(1, "ab" * 4) is None  # two begin so
    found = store.queries.of_user(1, "ab" * 31 + "c")
    assert found is not None
    assert store.queries.of_user(2, "ab" * 31 + "c") is None
    assert store.queries.of_user(1, "%") is None
    assert [row.release_id for row in store.queries.history(1, 10)] == ["ab" * 32, "ab" * 31 + "cd"]


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    with contextlib.suppress(RuntimeError), store.transaction() as session:
        session.add(ProjectRow(name="p", version=1, permit=b"", permit_hash=KEY, state="live", added=NOW))
        raise RuntimeError
    assert store.projects.get("p") is None

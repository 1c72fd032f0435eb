"""Two replicas at once: whatever the store promises to happen once happens once, on SQLite and on PostgreSQL.

Every transaction is held at its first write until the other has come as far, or has shown that it cannot. Without the
serial writers of ``coordinator.store.engine`` both would have read the same and both would win, as a control shows.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from coordinator.queries.machine import OPEN, State
from coordinator.store import AdmissionRow, AnswerRow, FlowRow, NodeRow, ProjectRow, QueryRow, ReviewRow, Store, engine
from coordinator.store.models import CriteriaRow, DocumentRow, StanceRow
from tests.lib.site import put_project

NOW = 1_790_000_000
KEY = "aa" * 32
ID = "ab" * 32
TOGETHER_SECONDS = 0.06


@dataclass(frozen=True)
class Race:
    """Something that two do at once.

    Attributes:
        attempt: what each does; the number is 0 or 1.
        found: what the two are told, in any order.
        after: what must hold then.
    """

    prepare: Callable[[Store], Any]
    attempt: Callable[[Store, int], Any]
    found: tuple[Any, Any]
    after: Callable[[Store], Any] = lambda _: True


def node(ods: str = "RX1", status: str = "pending") -> NodeRow:
    return NodeRow(
        ods=ods, name="Trust", identity_key=KEY, request_pem="", tls_key_sha256=KEY, certificate_pem="", serial="",
        status=status, words="one two", enrolled=NOW, last_seen=0,
    )  # fmt: skip


def nothing(_: Store) -> None:
    """Nothing is there before."""


def person(store: Store) -> None:
    store.people.add("ada", KEY, NOW)


def invited(store: Store) -> None:
    store.nodes.invite("code", "RX1", "Trust", NOW + 100)


def enrolled(store: Store) -> None:
    invited(store)
    store.nodes.enrol("code", node(), NOW)


def question(store: Store, state: State = State.OFFERED, review: bool = False) -> None:
    person(store)
    put_project(store, ProjectRow(name="p", version=1, permit=b"", permit_hash=KEY, state="live", added=NOW))
    asked = ReviewRow(release_id=ID, why="federation", deadline=NOW) if review else None
    store.queries.add(query(state), review=asked)


def query(state: State = State.ACCEPTED) -> QueryRow:
    return QueryRow(
        release_id=ID, user_id=1, project="p", dataset="d", sql="s", query_hash=KEY, plan_hash=KEY, vector_length=1,
        intent=b"", permit=b"", model=b"", nodes="RX1 RX2", state=state.value, created=NOW, closes_at=NOW, closed=0,
    )  # fmt: skip


def only_a_project(store: Store) -> None:
    person(store)
    put_project(store, ProjectRow(name="p", version=1, permit=b"", permit_hash=KEY, state="live", added=NOW))


def local_account(store: Store) -> None:
    person(store)
    store.local_accounts.invite("ada", "local", "subject", "setup", NOW + 100, NOW)
    store.local_accounts.propose("setup", "password", "secret")


def flow(store: Store) -> None:
    store.signins.begin(
        FlowRow(id_hash="f", provider="p", challenge="c", port=1, client_state="s", level=2, expires=NOW + 100), NOW
    )


def opened_flow(store: Store) -> None:
    flow(store)
    store.signins.open("f", "browser", "state", NOW)


def finished_flow(store: Store) -> None:
    person(store)
    opened_flow(store)
    store.signins.finish("f", "code", 1, 2, NOW, NOW + 100)


def answer(who: str, envelope: bytes) -> AnswerRow:
    return AnswerRow(
        release_id=ID, node=who, envelope=envelope, vector=b"", status="answer", rho_nano=5, late=False, received=NOW
    )


def put_stance(store: Store, said: int) -> bool:
    with store.projects.change("p", NOW) as change:
        row = StanceRow(project="p", node="RX1", permit_hash=KEY, word="accepted", envelope=b"", said=said)
        kept = change.put_stance(row)
        change.note("accept", "RX1", "It said so.")
    return kept


def settle(store: Store) -> bool:
    with store.reviews.change(ID) as change:
        if change is None:
            return False
        change.settle(
            state=State.CLOSED, outcome="approved", reasons="", table_sha256=KEY, now=NOW, words="w",
            criteria=CriteriaRow(release_id=ID, sha256=KEY, record="{}"),
        )  # fmt: skip
        return True


def approval(who: int) -> AdmissionRow:
    return AdmissionRow(about="x", person=("olive", "oscar")[who], ods="RX1", envelope=b"", at=NOW)


def wrong_password(store: Store, _: int = 0) -> None:
    store.local_accounts.count("ada", NOW, good=False)


def three_wrong_passwords(store: Store) -> None:
    for _ in range(3):
        wrong_password(store)


def in_review(store: Store) -> None:
    question(store, State.CLOSING, review=True)
    store.queries.finish(
        ID, before=State.CLOSING, after=State.CLOSED, review=State.IN_REVIEW, closed=NOW, result=b"r"
    )  # fmt: skip


ONCE = (True, False)
RACES: dict[str, Race] = {
    "a name belongs to one account": Race(nothing, lambda s, n: s.people.add("ada", f"{n}" * 64, NOW), ONCE),
    "a key belongs to one account": Race(nothing, lambda s, n: s.people.add(f"ada{n}", KEY, NOW), ONCE),
    "a challenge is used once": Race(
        lambda s: s.people.add_challenge("n", "ada", NOW + 9, NOW),
        lambda s, _: s.people.take_challenge("n", "ada", NOW),
        ONCE,
    ),
    "a code enrols once": Race(invited, lambda s, _: s.nodes.enrol("code", node(), NOW), ONCE),
    "a node is approved once": Race(enrolled, lambda s, n: s.nodes.approve("RX1", f"pem{n}", str(n)), ONCE),
    "a document's version is new": Race(
        nothing,
        lambda s, n: s.nodes.install(
            DocumentRow(kind="roster", version=1, sha256=f"{n}" * 64, envelope=b"", installed=NOW)
        ),
        ONCE,
    ),
    "one person approves once": Race(nothing, lambda s, _: s.admissions.decide(approval(0), "yes"), ONCE),
    "two people's approvals both stay": Race(
        nothing,
        lambda s, n: s.admissions.decide(approval(n), "yes"),
        (True, True),
        lambda s: s.admissions.deciders("x") == ["olive", "oscar"],
    ),
    "the same join counter from two copies is seen": Race(
        lambda s: s.admissions.join("RX1", 1, NOW), lambda s, _: bool(s.admissions.join("RX1", 2, NOW)), ONCE
    ),
    "a suspicion is resolved once": Race(
        lambda s: [s.admissions.join("RX1", 1, NOW) for _ in range(2)],
        lambda s, _: s.admissions.resolve("RX1", s.admissions.incident("RX1"), NOW),
        ONCE,
    ),
    "a one-time code is used once": Race(local_account, lambda s, _: s.local_accounts.use_step(1, 77), ONCE),
    "a set-up is confirmed once": Race(local_account, lambda s, _: s.local_accounts.confirm("setup", 1), ONCE),
    "wrong passwords are all counted": Race(
        three_wrong_passwords,
        wrong_password,
        (None, None),
        lambda s: s.local_accounts.waits("ada", NOW),
    ),
    "a sign-in belongs to one browser": Race(
        flow, lambda s, n: s.signins.open("f", f"b{n}", f"s{n}", NOW) is not None, ONCE
    ),
    "a provider's state is taken once": Race(
        opened_flow, lambda s, _: s.signins.take_state("state", "browser", NOW) is not None, ONCE
    ),
    "a sign-in's code is taken once": Race(
        finished_flow, lambda s, _: s.signins.take_code("code", NOW) is not None, ONCE
    ),
    "a release id is used once": Race(only_a_project, lambda s, _: s.queries.add(query()), ONCE),
    "a query closes once": Race(question, lambda s, _: s.queries.move(ID, before=OPEN, after=State.CLOSING), ONCE),
    "a query is closed or cancelled": Race(
        question,
        lambda s, n: s.queries.move(ID, before=OPEN, after=(State.CLOSING, State.CANCELLED)[n]),
        ONCE,
    ),
    "a merge is kept once": Race(
        lambda s: question(s, State.CLOSING),
        lambda s, n: (
            s.queries.finish(
                ID, before=State.CLOSING, after=State.CLOSED, review=State.IN_REVIEW, closed=NOW, result=b"%d" % n
            )
            is not None
        ),
        ONCE,
    ),
    "a node's first answer stays": Race(
        question,
        lambda s, n: s.queries.add_answer(answer("RX1", b"%d" % n), in_time=OPEN),
        ONCE,
        lambda s: s.queries.charged("p") == [("RX1", 5, 1)],
    ),
    "an answer is in time, or the close came first": Race(
        question,
        lambda s, n: (
            s.queries.add_answer(answer("RX1", b"e"), in_time=OPEN)
            if n
            else s.queries.move(ID, before=OPEN, after=State.CLOSING)
        ),
        (True, True),
    ),
    "a review ends once": Race(in_review, lambda s, _: settle(s), ONCE),
    "a trust's last word is the later one": Race(
        only_a_project,
        lambda s, n: put_stance(s, NOW),
        ONCE,
    ),
    "criteria are recorded once": Race(
        question,
        lambda s, n: s.keeping.add_criteria(CriteriaRow(release_id=ID, sha256=KEY, record=str(n))),
        (None, None),
        lambda s: len(s.keeping.criteria([ID])) == 1,
    ),
    "figures are erased once": Race(
        lambda s: question(s, State.CLOSED),
        lambda s, _: s.keeping.erase(NOW, NOW),
        ((ID,), ()),
    ),
    "a session of somebody who is being disabled does not stay": Race(
        person,
        lambda s, n: (
            s.people.disable("ada")
            if n
            else bool(s.sessions.open("t", 1, NOW + 9, NOW, level=2, auth_time=NOW)) is None
        ),
        (True, False),
        lambda s: s.sessions.find("t", NOW, 900) is None,
    ),
    "a rate is counted by all replicas together": Race(
        lambda s: s.fleet.take("k", 2, 1), lambda s, _: s.fleet.take("k", 2, 1), ONCE
    ),
    "a message between replicas is handed out once": Race(
        lambda s: s.fleet.post("b", "a", "RX1", b"x"), lambda s, _: len(s.fleet.fetch("b")), (1, 0)
    ),
}


@contextmanager
def together(stores: tuple[Store, Store], seconds: float) -> Iterator[None]:
    """Hold each transaction at its first write until the other has come there, or for a moment."""
    meeting = threading.Barrier(2)
    writing = threading.local()

    def at_a_write(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")) and not getattr(writing, "met", False):
            writing.met = True
            with contextlib.suppress(threading.BrokenBarrierError):
                meeting.wait(seconds)

    for made in stores:
        event.listen(made._engine, "before_cursor_execute", at_a_write)
    try:
        yield
    finally:
        for made in stores:
            event.remove(made._engine, "before_cursor_execute", at_a_write)


def run(race: Race, stores: tuple[Store, Store], seconds: float = TOGETHER_SECONDS) -> list[Any]:
    """What each of the two was told."""
    told: list[Any] = [None, None]
    start = threading.Barrier(2)

    def one(number: int) -> None:
        start.wait(5)
        try:
            told[number] = race.attempt(stores[number], number)
        except Exception as error:
            told[number] = error

    race.prepare(stores[0])
    threads = [threading.Thread(target=one, args=(number,)) for number in range(2)]
    with together(stores, seconds):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    return told


@pytest.fixture
def other(store: Store) -> Iterator[Store]:
    """Another replica's store on the same database."""
    made = Store(store.url)
    yield made
    made.close()


@pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("name", RACES)
def test_two_replicas_at_once(name: str, store: Store, other: Store) -> None:
    race = RACES[name]
    assert Counter(run(race, (store, other))) == Counter(race.found)
    assert race.after(store)


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", ["a one-time code is used once", "a set-up is confirmed once"])
def test_without_serial_writers_both_would_win(name: str, store: Store, other: Store) -> None:
    for made in (store, other):
        event.remove(made._engine, "begin", engine._begin_postgresql)
    race = RACES[name]
    assert Counter(run(race, (store, other), 10)) != Counter(race.found)


def test_a_unique_value_still_holds_where_the_lock_does_not(store: Store) -> None:
    """The schema is the second line: two rows for one key are impossible whoever writes."""
    question(store)
    store.queries.add_answer(answer("RX1", b"1"), in_time=OPEN)

    def again() -> None:
        with store.transaction() as session:
            session.add(answer("RX1", b"2"))

    with pytest.raises(IntegrityError):
        again()

"""The ledger's promises, kept by the real one and by the reference alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node_agent.budget import Ledger, Limits, SqliteLedger, State
from tests.factories.reservations import print_of, profile_scopes, reservation, scopes
from tests.lib.memory_ledger import MemoryLedger
from trustquery.errors import TrustQueryError

NOW = 1_000_000_000
DAY = 86_400


@pytest.fixture(params=["sqlite", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    real = SqliteLedger(tmp_path / "ledger.sqlite")
    yield real
    real.close()


def run(ledger: Ledger, name: str, upto: State = State.SENT, now: int = NOW, **changes: object) -> str:
    """A release taken as far as ``upto``."""
    item = reservation(name, **changes)
    path = [State.RESERVED, State.STARTED, State.COMMITTED, State.WITNESSED, State.SENT]
    for state in path[: path.index(upto) + 1]:
        match state:
            case State.RESERVED:
                ledger.reserve(item, now)
            case State.STARTED:
                if not item.stored:
                    ledger.start(item.release_id, now)
            case State.COMMITTED:
                ledger.commit(item.release_id, b"bytes of " + name.encode(), b"vector", now)
            case State.WITNESSED:
                ledger.witnessed(item.release_id, now)
            case _:
                ledger.sent(item.release_id, now)
    return item.release_id


def code(action: object, *arguments: object) -> str:
    with pytest.raises(TrustQueryError) as caught:
        action(*arguments)  # type: ignore[operator]
    return caught.value.code


def state(ledger: Ledger, release_id: str) -> State:
    found = ledger.find(release_id)
    assert found is not None
    return found.state


def test_a_release_is_charged_to_every_scope(ledger: Ledger) -> None:
    run(ledger, "one", delta_atto=7)
    for scope, subject in (("node-wide", ""), ("dataset", "omop-5.4"), ("project", "stays"), ("analyst", "ada")):
        spent = ledger.spent(scope, subject, NOW)  # type: ignore[arg-type]
        assert (spent.rho_window, spent.rho_lifetime, spent.delta_window, spent.delta_lifetime) == (30, 30, 7, 7)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(
    ("cap", "fits"),
    [
        (Limits(60, 0), True),
        (Limits(59, 0), False),
        (Limits(1000, 0, 60), True),
        (Limits(1000, 0, 59), False),
        (Limits(1000, 0, 61), True),
    ],
)
def test_a_cap_holds_to_the_last_unit_and_names_its_scope(ledger: Ledger, place: int, cap: Limits, fits: bool) -> None:
    run(ledger, "one")
    limits = [Limits(10**9, 0)] * 4
    limits[place] = cap
    item = reservation("two", scopes=scopes(*limits))
    if fits:
        assert ledger.reserve(item, NOW)[1]
        return
    with pytest.raises(TrustQueryError) as caught:
        ledger.reserve(item, NOW)
    assert caught.value.problem.fields == {"scope": ("node-wide", "dataset", "project", "analyst")[place]}
    assert ledger.find(item.release_id) is None
    assert ledger.spent("node-wide", "", NOW).rho_lifetime == 30


def test_delta_has_caps_of_its_own(ledger: Ledger) -> None:
    narrow = scopes(node=Limits(10**9, 10, None, 9))
    assert code(ledger.reserve, reservation("one", delta_atto=10, scopes=narrow), NOW) == "budget-exhausted"
    assert ledger.reserve(reservation("two", delta_atto=9, scopes=narrow), NOW)[1]


def test_the_twelve_month_window_moves_and_the_lifetime_does_not(ledger: Ledger) -> None:
    run(ledger, "one")
    assert ledger.spent("node-wide", "", NOW + 365 * DAY).rho_window == 30
    later = ledger.spent("node-wide", "", NOW + 366 * DAY)
    assert (later.rho_window, later.rho_lifetime) == (0, 30)


def test_a_profile_is_charged_to_its_own_scope_and_to_no_project_and_no_person(ledger: Ledger) -> None:
    run(ledger, "one", scopes=profile_scopes())
    owed = {"node-wide": "", "dataset": "omop-5.4", "profiles": "omop-5.4", "project": "stays", "analyst": "ada"}
    found = {scope: ledger.spent(scope, subject, NOW).rho_lifetime for scope, subject in owed.items()}  # type: ignore[arg-type]
    assert found == {"node-wide": 30, "dataset": 30, "profiles": 30, "project": 0, "analyst": 0}


@pytest.mark.parametrize(
    ("cap", "fits"),
    [(Limits(60, 0), True), (Limits(59, 0), False), (Limits(99, 0, 60, 0), True), (Limits(99, 0, 59, 0), False)],
)
def test_the_profiles_cap_holds_to_the_last_unit_and_names_its_scope(ledger: Ledger, cap: Limits, fits: bool) -> None:
    run(ledger, "one", scopes=profile_scopes())
    item = reservation("two", scopes=profile_scopes(cap))
    if fits:
        assert ledger.reserve(item, NOW)[1]
        return
    with pytest.raises(TrustQueryError) as caught:
        ledger.reserve(item, NOW)
    assert caught.value.problem.fields == {"scope": "profiles"}
    assert ledger.spent("node-wide", "", NOW).rho_lifetime == 30


def test_the_profiles_window_is_ninety_days_and_the_others_stay_twelve_months(ledger: Ledger) -> None:
    run(ledger, "one", scopes=profile_scopes())
    for days, in_window in ((0, 30), (89, 30), (90, 0)):
        spent = ledger.spent("profiles", "omop-5.4", NOW + days * DAY)
        assert (spent.rho_window, spent.rho_lifetime) == (in_window, 30), days
        assert ledger.spent("dataset", "omop-5.4", NOW + days * DAY).rho_window == 30
    # The last second of the 89th day, and the first of the 90th.
    midnight = (NOW // DAY + 90) * DAY
    full = profile_scopes(Limits(60, 0, 30, 0))
    assert code(ledger.reserve, reservation("two", scopes=full), midnight - 1) == "budget-exhausted"
    assert ledger.reserve(reservation("three", scopes=full), midnight)[1]
    assert code(ledger.reserve, reservation("four", scopes=full), midnight + 90 * DAY) == "budget-exhausted"


def test_an_identical_profile_is_charged_to_nobody_again(ledger: Ledger) -> None:
    question = print_of("the question")
    run(ledger, "one", question=question, scopes=profile_scopes())
    run(ledger, "two", question=question, stored=True, analyst="bob", project="beds", scopes=profile_scopes())
    for scope, subject in (("node-wide", ""), ("dataset", "omop-5.4"), ("profiles", "omop-5.4")):
        assert ledger.spent(scope, subject, NOW).rho_lifetime == 30  # type: ignore[arg-type]
    # A policy without the section makes it a query like any other: project and person pay at first sight.
    run(ledger, "three", question=question, stored=True)
    assert ledger.spent("dataset", "omop-5.4", NOW).rho_lifetime == 30
    assert ledger.spent("analyst", "ada", NOW).rho_lifetime == 30


def test_a_profile_that_never_started_is_refunded_in_every_scope(ledger: Ledger) -> None:
    ledger.expire(run(ledger, "one", State.RESERVED, scopes=profile_scopes()), NOW)
    run(ledger, "two", State.RESERVED, scopes=profile_scopes())
    run(ledger, "three", State.STARTED, scopes=profile_scopes())
    ledger.recover(NOW)  # type: ignore[attr-defined]
    for scope, subject in (("node-wide", ""), ("dataset", "omop-5.4"), ("profiles", "omop-5.4")):
        assert ledger.spent(scope, subject, NOW).rho_lifetime == 30  # type: ignore[arg-type]


def test_a_clock_set_back_opens_no_window(ledger: Ledger) -> None:
    run(ledger, "one", now=NOW + 400 * DAY)
    assert ledger.spent("node-wide", "", NOW).rho_window == 30
    run(ledger, "two", now=NOW)
    assert ledger.spent("node-wide", "", NOW + 400 * DAY).rho_window == 60


def test_a_clock_that_once_stood_ahead_opens_no_window(ledger: Ledger) -> None:
    run(ledger, "one", now=NOW)
    ledger.note_refusal(print_of("four"), print_of("intent"), "", NOW + 3_650 * DAY)
    assert ledger.spent("node-wide", "", NOW + 300 * DAY).rho_window == 30
    tight = scopes(node=Limits(10**12, 10**18, 30, 10**18))
    assert code(ledger.reserve, reservation("two", scopes=tight), NOW + 300 * DAY) == "budget-exhausted"


def test_the_same_release_is_charged_once(ledger: Ledger) -> None:
    item = reservation("one")
    assert ledger.reserve(item, NOW)[1]
    for _ in range(100):
        release, made = ledger.reserve(item, NOW)
        assert (release.release_id, made) == (item.release_id, False)
    assert ledger.spent("node-wide", "", NOW).rho_lifetime == 30


def test_the_same_id_with_another_intent_is_refused(ledger: Ledger) -> None:
    run(ledger, "one")
    other = reservation("one", intent_hash=print_of("another"))
    assert code(ledger.reserve, other, NOW) == "node-release-conflict"


def test_only_a_reservation_that_never_started_is_refunded(ledger: Ledger) -> None:
    ledger.expire(run(ledger, "one", State.RESERVED), NOW)
    assert ledger.spent("node-wide", "", NOW).rho_lifetime == 0
    started = run(ledger, "two", State.STARTED)
    assert code(ledger.expire, started, NOW) == "ledger-state"
    ledger.die(started, NOW)
    assert ledger.spent("node-wide", "", NOW).rho_lifetime == 30


@pytest.mark.parametrize("upto", [State.COMMITTED, State.WITNESSED])
def test_what_is_withheld_stays_charged_and_never_leaves(ledger: Ledger, upto: State) -> None:
    release_id = run(ledger, "one", upto)
    ledger.withhold(release_id, NOW)
    assert ledger.spent("node-wide", "", NOW).rho_lifetime == 30
    assert code(ledger.sent, release_id, NOW) == "ledger-state"
    assert ledger.unsent() == ()


def test_a_stored_answer_never_starts(ledger: Ledger) -> None:
    """It reads no data. A start in its history is one that a later opening would not believe."""
    stored = run(ledger, "one", State.RESERVED, stored=True)
    assert code(ledger.start, stored, NOW) == "ledger-state"
    ledger.commit(stored, b"b", b"v", NOW)
    found = ledger.find(stored)
    assert found is not None
    assert found.state is State.COMMITTED


def test_committing_needs_a_start_unless_the_answer_is_stored(ledger: Ledger) -> None:
    fresh = run(ledger, "one", State.RESERVED)
    assert code(ledger.commit, fresh, b"b", b"v", NOW) == "ledger-state"
    stored = run(ledger, "two", State.RESERVED, stored=True)
    ledger.commit(stored, b"b", b"v", NOW)
    assert state(ledger, stored) is State.COMMITTED


def test_the_bytes_of_a_release_never_change(ledger: Ledger) -> None:
    release_id = run(ledger, "one")
    assert code(ledger.commit, release_id, b"others", b"v", NOW) == "ledger-state"
    assert code(ledger.put_outbox, release_id, b"others", NOW) == "ledger-state"
    assert ledger.outbox(release_id) == b"bytes of one"


def test_the_first_no_answer_kept_is_the_only_one(ledger: Ledger) -> None:
    dead = run(ledger, "one", State.STARTED)
    ledger.die(dead, NOW)
    assert ledger.put_outbox(dead, b"first", NOW) == b"first"
    assert ledger.put_outbox(dead, b"second", NOW) == b"first"
    assert ledger.outbox(dead) == b"first"


def test_what_is_sent_is_repeated_until_acknowledged(ledger: Ledger) -> None:
    release_id = run(ledger, "one", State.WITNESSED)
    assert [item.release_id for item in ledger.unsent()] == [release_id]
    assert not ledger.has_left(release_id)
    ledger.sent(release_id, NOW)
    assert ledger.unsent() == ()
    assert [item.release_id for item in ledger.unacknowledged()] == [release_id]
    ledger.acknowledged(release_id)
    ledger.acknowledged(print_of("unknown"))
    assert ledger.unacknowledged() == ()
    assert ledger.has_left(release_id)


def test_an_acknowledgement_before_sending_changes_nothing(ledger: Ledger) -> None:
    release_id = run(ledger, "one", State.WITNESSED)
    ledger.acknowledged(release_id)
    assert [item.release_id for item in ledger.unsent()] == [release_id]


def test_an_identical_question_costs_the_trust_nothing_again(ledger: Ledger) -> None:
    question = print_of("the question")
    run(ledger, "one", question=question)
    assert ledger.stored_vector(question) == b"vector"
    run(ledger, "two", State.RESERVED, question=question, stored=True)
    assert ledger.spent("node-wide", "", NOW).rho_lifetime == 30
    assert ledger.spent("analyst", "ada", NOW).rho_lifetime == 30
    others = scopes(names=("omop-5.4", "beds", "bob"))
    run(ledger, "three", State.RESERVED, question=question, stored=True, project="beds", analyst="bob", scopes=others)
    run(ledger, "four", State.RESERVED, question=question, stored=True, project="beds", analyst="bob", scopes=others)
    assert ledger.spent("dataset", "omop-5.4", NOW).rho_lifetime == 30
    assert ledger.spent("project", "beds", NOW).rho_lifetime == 30
    assert ledger.spent("analyst", "bob", NOW).rho_lifetime == 30


def test_a_fresh_draw_never_replaces_the_stored_vector(ledger: Ledger) -> None:
    question = print_of("the question")
    run(ledger, "one", question=question)
    second = run(ledger, "two", State.STARTED, question=question)
    ledger.commit(second, b"bytes", b"another vector", NOW)
    assert ledger.stored_vector(question) == b"vector"
    assert ledger.spent("node-wide", "", NOW).rho_lifetime == 60


def test_no_answers_are_counted_for_thirty_days(ledger: Ledger) -> None:
    for place in range(3):
        ledger.die(run(ledger, f"r{place}", State.STARTED), NOW)
    run(ledger, "good")
    assert ledger.no_answers("ada", NOW) == 3
    assert ledger.no_answers("bob", NOW) == 0
    assert ledger.no_answers("ada", NOW + 29 * DAY) == 3
    assert ledger.no_answers("ada", NOW + 30 * DAY) == 0


def test_a_restart_refunds_what_was_not_started_and_buries_what_was(ledger: Ledger) -> None:
    ids = {upto: run(ledger, upto, upto) for upto in (State.RESERVED, State.STARTED, State.COMMITTED, State.SENT)}
    ended = ledger.recover(NOW)  # type: ignore[attr-defined]
    assert {item.release_id: item.state for item in ended} == {
        ids[State.RESERVED]: State.EXPIRED,
        ids[State.STARTED]: State.DEAD,
    }
    assert state(ledger, ids[State.COMMITTED]) is State.COMMITTED
    assert ledger.spent("node-wide", "", NOW).rho_lifetime == 90
    unsent = {item.release_id for item in ledger.unsent()}
    assert unsent == {ids[State.RESERVED], ids[State.STARTED], ids[State.COMMITTED]}


def test_versions_of_documents_never_go_backwards(ledger: Ledger) -> None:
    ledger.see("permit", "ash", 3, print_of("three"), NOW)
    size = ledger.size()
    ledger.see("permit", "ash", 3, print_of("three"), NOW)
    assert ledger.size() == size
    assert code(ledger.see, "permit", "ash", 2, print_of("two"), NOW) == "policy-document-stale"
    assert code(ledger.see, "permit", "ash", 3, print_of("other three"), NOW) == "policy-document-stale"
    ledger.see("permit", "birch", 1, print_of("one"), NOW)
    ledger.see("permit", "ash", 4, print_of("four"), NOW)
    assert ledger.size() == size + 2


def test_answers_are_erased_to_the_day_and_nothing_is_given_back(ledger: Ledger) -> None:
    release_id = run(ledger, "one", not_after=NOW + 60)
    spent = ledger.spent("node-wide", "", NOW + 29 * DAY)
    midnight = (NOW // DAY + 30) * DAY
    assert ledger.erase(30, midnight - 1) == ()
    assert ledger.outbox(release_id) is not None
    assert ledger.erase(30, midnight) == (release_id,)
    assert (ledger.outbox(release_id), ledger.has_left(release_id)) == (None, False)
    assert ledger.stored_vector(print_of("question one")) is None
    assert ledger.erased_day(print_of("question one")) == midnight // DAY
    assert ledger.spent("node-wide", "", midnight) == spent
    assert state(ledger, release_id) is State.SENT
    assert (ledger.unsent(), ledger.unacknowledged()) == ((), ())
    assert ledger.erase(30, midnight + DAY) == ()
    # The same id with another intent is still the conflict that it was, and the same intent finds what is there.
    assert code(ledger.reserve, reservation("one", intent_hash=print_of("other")), midnight) == "node-release-conflict"
    assert ledger.reserve(reservation("one", not_after=NOW + 60), midnight)[1] is False


def test_nothing_is_erased_that_may_still_be_sent(ledger: Ledger) -> None:
    late = NOW + 400 * DAY
    run(ledger, "waits", State.COMMITTED, not_after=NOW)
    run(ledger, "goes", State.WITNESSED, not_after=NOW)
    run(ledger, "runs", State.STARTED, not_after=NOW)
    # Its bytes are repeated to a coordinator that never said it had them, for a week after its intent ended.
    sent = run(ledger, "sent", not_after=late - 7 * DAY)
    assert ledger.erase(30, late) == ()
    assert ledger.erase(30, late + 1) == (sent,)


def test_a_later_draw_of_an_erased_question_is_kept_and_served(ledger: Ledger) -> None:
    asked = print_of("asked")
    run(ledger, "one", question=asked, not_after=NOW)
    later = NOW + 40 * DAY
    assert len(ledger.erase(30, later)) == 1
    run(ledger, "two", now=later, question=asked, not_after=later)
    assert ledger.stored_vector(asked) == b"vector"
    assert ledger.erase(30, later + DAY) == ()
    assert ledger.spent("node-wide", "", later).rho_lifetime == 60


def test_only_so_many_are_erased_at_once_oldest_first(ledger: Ledger) -> None:
    names = [run(ledger, f"r{place}", not_after=NOW) for place in range(5)]
    later = NOW + 40 * DAY
    assert [ledger.erase(30, later, most=2) for _ in range(4)] == [tuple(names[:2]), tuple(names[2:4]), (names[4],), ()]

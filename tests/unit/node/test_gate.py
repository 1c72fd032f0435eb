"""The gate as a whole: the order of steps, what may be said, what is charged, and when anything leaves."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from node_agent.budget import State
from node_agent.gate import endings
from node_agent.gate.case import Peer
from node_agent.gate.gate import STEPS, pass_offer
from tests.factories.trust import NOW, People, key, question
from tests.lib.gate_world import World
from trustquery.errors import TrustQueryError
from trustquery.planning import Plan
from trustquery.protocol.answers import disclosure_floor, read_vector
from trustquery.protocol.messages import Offer

NAMES = [name for name, _ in STEPS]
ONE = People().the_intent().release_id
BEFORE_START = NAMES[: NAMES.index("start")]
AFTER_START = NAMES[NAMES.index("engine") : NAMES.index("review")]


def boom() -> None:
    raise RuntimeError("patient no-4711 has a rare disease")


def test_the_steps_are_the_design() -> None:
    assert NAMES == [
        "authenticate", "admit", "decode", "verify", "model", "plan", "policy", "optouts", "stored", "reserve",
        "start", "engine", "bound", "noise", "sign", "commit", "review", "witness", "recheck", "send",
    ]  # fmt: skip


def test_an_answer_passes_every_step_and_leaves_at_the_second_slot() -> None:
    world = World()
    answer = world.ask()
    assert world.steps == NAMES
    assert answer is not None
    assert (answer.status, answer.rho_nano, answer.vector_length) == ("answer", 1_000_000, 5)
    assert world.sent[0].vector == b"".join(value.to_bytes(8, "little") for value in (7, 8, 9, 0, 1))
    # 2 s allowance and the declared rows and draws make three slots of 1 s.
    assert world.clock.waited == [3.0, 4.0]
    assert [event for event, _ in world.ledger.events][5:] == ["reserve", "start", "commit", "witnessed", "sent"]
    scopes = (("node-wide", ""), ("dataset", "made-up"), ("project", "stays"), ("analyst", "ada"))
    assert world.ledger.totals() == dict.fromkeys(scopes, (1_000_000, 0, 1))


@pytest.mark.parametrize("slot_ms", [250, 1_000])
def test_the_slot_does_not_depend_on_how_long_the_engine_took(slot_ms: int) -> None:
    waits = []
    for seconds in (0.0, 1.5):
        world = World(slot_ms=slot_ms)
        world.engine.result = lambda world=world, seconds=seconds: _later(world, seconds)
        world.ask()
        waits.append(world.clock.waited)
    assert waits[0] == waits[1]


def test_the_slot_does_not_depend_on_how_long_the_checks_took() -> None:
    """Checks are slow while other releases' engines are busy, and how busy those are depends on data."""
    waits = []
    for seconds in (0.0, 1.5):
        world = World()
        world.trouble["policy"] = partial(_slow, world, seconds)
        world.ask()
        waits.append(world.clock.waited)
    assert waits[0] == waits[1] == [3.0, 4.0]


def test_the_wait_for_a_seat_is_counted_to_the_slot_that_was_planned() -> None:
    """Not to the moment at which a busy machine gave the seat back."""
    world = World()
    for _ in range(2):
        world.ports.seats.take(0)
    world.clock.now += 0.3
    for _ in range(2):
        world.ports.seats.give_back(world.clock.now + 1.5)
    world.ask()
    # 1.5 s of waiting and 2 s of allowance and more make four slots of 1 s after the arrival.
    assert world.clock.waited == [4.3, 5.3]
    world = World()
    world.ask()
    world.ask(world.offer(world.people.the_intent("two")))
    # The seat of the first was planned to be free before the second came.
    assert world.clock.waited == [3.0, 4.0, 7.0, 8.0]


@pytest.mark.parametrize("result", [[7, 8, 9, 0, 1], RuntimeError("value 'X0' in row 7")])
def test_nothing_is_entered_between_start_and_slot(result: Any) -> None:
    """The number of an entry is signed and sent: one made when an engine ends would tell another answer when."""
    world = World()
    world.engine.result = result
    sizes: list[tuple[float, int]] = []
    wait = world.clock.wait_until

    def watched(moment: float) -> None:
        sizes.append((round(moment - 1_000.0, 3), world.ledger.size()))
        wait(moment)

    world.clock.wait_until = watched  # type: ignore[method-assign]
    world.trouble["engine"] = lambda: sizes.append((0.0, world.ledger.size()))
    world.ask()
    (_, at_start), (first, at_wait), (second, _) = sizes
    assert (first, second) == (3.0, 4.0)
    assert at_wait == at_start


@pytest.mark.parametrize("result", [[7, 8, 9, 0, 1], RuntimeError("value 'X0' in row 7")])
def test_an_answers_number_does_not_tell_whether_another_engine_has_ended(result: Any) -> None:
    """The second offer comes while the first one's engine runs; then when it has ended, before its slot."""
    numbers = []
    for ended in (False, True):
        world = World()
        world.engine.result = result
        second = world.people.the_intent("two")
        come = partial(_pass, world, world.offer(second))
        if ended:
            _before_the_next_wait(world, come)
        else:
            world.trouble["engine"] = come
        _pass(world, world.offer())
        numbers += [world.read(sent).ledger_seq for sent in world.sent if sent.release_id == second.release_id]
    assert len(numbers) == 2
    assert numbers[0] == numbers[1]


def _pass(world: World, offer: Offer) -> None:
    pass_offer(offer, Peer(True), world.clock.monotonic(), world.ports)


def _before_the_next_wait(world: World, what: Callable[[], None]) -> None:
    wait = world.clock.wait_until

    def once(moment: float) -> None:
        world.clock.wait_until = wait  # type: ignore[method-assign]
        what()
        wait(moment)

    world.clock.wait_until = once  # type: ignore[method-assign]


def _slow(world: World, seconds: float) -> None:
    world.clock.now += seconds


def _later(world: World, seconds: float) -> list[int]:
    world.clock.now += seconds
    return [1, 2, 3, 4, 5]


@pytest.mark.parametrize("step", BEFORE_START)
def test_a_fault_before_start_refuses_and_costs_nothing(step: str) -> None:
    world = World()
    world.trouble[step] = boom
    assert world.codes(world.ask()) == ["internal-fault"]
    assert world.ledger.totals() == {}
    assert world.engine.runs == 0
    assert "no-4711" not in repr(world.sent) + repr(world.logged)


@pytest.mark.parametrize("step", AFTER_START)
def test_a_fault_after_start_is_a_charged_no_answer_at_the_same_slot(step: str) -> None:
    world = World()
    world.trouble[step] = boom
    answer = world.ask()
    assert answer is not None
    assert (answer.status, answer.rho_nano, answer.vector_length) == ("no-answer", 1_000_000, 0)
    assert [reason["code"] for reason in answer.reasons] == ["node-no-answer"]
    assert world.clock.waited == [3.0, 4.0]
    assert world.ledger.releases[ONE].state is State.DEAD
    assert world.ledger.totals()["node-wide", ""][0] == 1_000_000
    assert "no-4711" not in repr(world.sent) + repr(world.logged)


@pytest.mark.parametrize(
    "result",
    [
        RuntimeError("value 'X0' in row 7"),
        TrustQueryError("internal-fault", incident="engine"),
        [1, 2, 3, 4],
        [1, 2, 3, 4, 5, 6],
        [1, 2, 3, 4, 5.0],
        [1, 2, 3, 4, True],
        [1, 2, 3, 4, "5"],
    ],
)
def test_every_failure_of_the_engine_is_the_same_to_the_byte(result: Any) -> None:
    world = World()
    world.engine.result = result
    world.ask()
    reference = World()
    reference.trouble["noise"] = boom
    reference.ask()
    assert world.sent == reference.sent
    assert world.clock.waited == reference.clock.waited


def test_an_engine_that_misses_its_slot_is_a_no_answer() -> None:
    world = World()
    world.engine.result = lambda: _later(world, 60)
    answer = world.ask()
    assert answer is not None
    assert answer.status == "no-answer"
    assert world.ledger.releases[ONE].state is State.DEAD


def test_noise_that_is_late_is_a_no_answer() -> None:
    world = World()
    world.noise = lambda vector, plan: _later(world, 60)
    answer = world.ask()
    assert answer is not None
    assert answer.status == "no-answer"


@pytest.mark.parametrize("drawing", [lambda plan: time.sleep(5), lambda plan: None, lambda plan: 1 / 0])
def test_noise_that_is_not_there_at_the_slot_is_a_no_answer(drawing: Any) -> None:
    world = World()
    world.draw = drawing
    started = time.monotonic()
    answer = world.ask()
    assert answer is not None
    assert answer.status == "no-answer"
    assert world.ledger.releases[ONE].state is State.DEAD
    assert time.monotonic() - started < 4.5


def test_noise_is_drawn_after_the_start_and_while_the_engine_runs() -> None:
    world = World()
    seen: list[State] = []
    drawn = threading.Event()

    def draw(plan: Plan) -> list[int]:
        seen.append(world.ledger.releases[ONE].state)
        drawn.set()
        return [0] * plan.length

    world.draw = draw
    world.engine.result = lambda: [int(drawn.wait(5))] * 5
    world.noise = lambda vector, plan: list(vector)
    world.ask()
    assert seen == [State.STARTED]
    assert world.sent
    assert read_vector(world.sent[-1].vector)[0] == 1


def test_cells_are_clamped_before_the_noise() -> None:
    world = World()
    world.engine.result = [2**63, -(2**63), 0, 0, 0]
    seen: list[list[int]] = []
    world.noise = lambda vector, plan: seen.append(list(vector)) or list(vector)  # type: ignore[func-returns-value]
    world.ask()
    assert seen == [[2**62, -(2**62), 0, 0, 0]]


@pytest.mark.parametrize("step", ["review", "witness", "recheck", "send"])
def test_a_fault_after_commit_says_nothing_and_the_restart_sends(step: str) -> None:
    world = World()
    world.trouble[step] = boom
    assert world.ask() is None
    committed = world.ledger.outbox(ONE)
    (release,) = world.ledger.unsent()
    endings.resume(release, world.ports)
    assert world.read(world.sent[-1]).status == "answer"
    assert world.ledger.outbox(ONE) == committed
    assert world.engine.runs == 1


@pytest.mark.parametrize("method", ["see", "reserve", "start", "commit", "witnessed", "sent", "die", "put_outbox"])
def test_when_the_ledger_cannot_be_written_nothing_is_said(method: str) -> None:
    world = World()
    world.ledger.fail_on = method
    if method in ("die", "put_outbox"):
        world.trouble["noise"] = boom
    with pytest.raises(TrustQueryError) as caught:
        world.ask()
    assert caught.value.code == "ledger-unwritable"
    assert world.sent == []
    if method in ("see", "reserve", "start"):
        assert world.engine.runs == 0
    with pytest.raises(TrustQueryError):
        world.ask(world.offer(world.people.the_intent("two")))
    assert world.sent == []


def test_a_refusal_that_cannot_be_entered_is_not_sent() -> None:
    world = World(People(policy={"max_cells": "1"}))
    world.ledger.fail_on = "refused"
    with pytest.raises(TrustQueryError):
        world.ask()
    assert world.sent == []


def test_the_same_offer_again_brings_the_same_bytes_and_no_charge() -> None:
    world = World()
    offer = world.offer()
    world.ask(offer)
    for _ in range(5):
        world.ask(offer)
    assert all(message == world.sent[0] for message in world.sent)
    assert len(world.sent) == 6
    assert world.engine.runs == 1
    assert world.ledger.totals()["node-wide", ""][0] == 1_000_000


def test_an_offer_repeated_while_it_runs_is_silent() -> None:
    world = World()
    offer = world.offer()
    inner: list[object] = []
    world.trouble["engine"] = lambda: inner.append(world.ask(offer))
    assert world.ask(offer) is not None
    assert inner == [None]
    assert len(world.sent) == 1


def test_the_same_release_id_with_another_intent_is_refused() -> None:
    world = World()
    world.ask()
    changed = world.people.the_intent(not_after=NOW + 3_000)
    assert world.codes(world.ask(world.offer(changed))) == ["node-release-conflict"]
    assert world.ledger.totals()["node-wide", ""][0] == 1_000_000


def test_a_known_release_is_not_refused_afterwards() -> None:
    """No second answer for one release, whatever has changed meanwhile."""
    world = World()
    offer = world.offer()
    world.ask(offer)
    world.marked = True
    assert world.ask(offer) is None
    world.marked = False
    world.people.policy["max_cells"] = "1"
    assert world.ask(offer) == world.read(world.sent[0])


def test_an_identical_question_gets_the_stored_vector_in_a_new_envelope() -> None:
    world = World()
    world.ask()
    world.engine.result = [0, 0, 0, 0, 0]
    world.steps.clear()
    second = world.ask(world.offer(world.people.the_intent("two")))
    assert second is not None
    assert second.status == "answer"
    assert world.sent[1].vector == world.sent[0].vector
    assert world.sent[1].envelope != world.sent[0].envelope
    assert world.engine.runs == 1
    assert set(NAMES) - set(world.steps) == {"start", "engine", "bound", "noise"}
    assert world.clock.waited[2:] == [7.0, 8.0]  # the normal slot, counted from its own arrival at 4 s
    assert world.ledger.totals()["node-wide", ""] == (1_000_000, 0, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda world: world.people.the_intent("two", reuse="fresh"),
        lambda world: (setattr(world.engine, "data_version", 2), world.people.the_intent("two"))[1],  # type: ignore[func-returns-value]
    ],
)
def test_a_fresh_draw_or_new_data_are_charged_again(change: Callable[[World], Any]) -> None:
    world = World()
    world.ask()
    world.ask(world.offer(change(world)))
    assert world.engine.runs == 2
    assert world.ledger.totals()["node-wide", ""][0] == 2_000_000


def erased_world() -> tuple[World, Offer]:
    """A world whose one answer was erased on the day after, with nothing of it left to send, and its offer."""
    world = World()
    offer = world.offer()
    world.ask(offer)
    later = NOW + 40 * 86_400
    assert len(world.ledger.erase(0, later)) == 1
    # The budget clock has moved on with it, and the delegate has gone on speaking daily.
    said = {"version": 2, "issued": later - 3_600, "expires": later + 86_400}
    world.people.the_statement = world.people.the_statement.model_copy(update=said)
    world.engine.result = [0, 0, 0, 0, 0]
    return world, offer


def test_an_erased_answer_is_not_drawn_anew_unless_that_is_asked_for() -> None:
    world, _ = erased_world()
    refused = world.ask(world.offer(world.people.the_intent("two")))
    assert world.codes(refused) == ["budget-answer-erased"]
    assert refused is not None
    assert refused.reasons[0]["fields"] == {
        "date": (datetime.date(1970, 1, 1) + datetime.timedelta(NOW // 86_400 + 40)).isoformat()
    }
    assert (world.engine.runs, world.ledger.totals()["node-wide", ""]) == (1, (1_000_000, 0, 1))
    # Whoever asks for a fresh draw gets one, and the trust is charged for it; it is then what is stored.
    drawn = world.ask(world.offer(world.people.the_intent("three", reuse="fresh")))
    assert drawn is not None
    assert (drawn.status, world.engine.runs) == ("answer", 2)
    assert world.ledger.totals()["node-wide", ""] == (2_000_000, 0, 2)
    again = world.ask(world.offer(world.people.the_intent("four")))
    assert again is not None
    assert (again.status, again.vector_sha256) == ("answer", drawn.vector_sha256)
    assert world.ledger.totals()["node-wide", ""] == (2_000_000, 0, 2)


def test_a_new_data_version_asks_anew_after_an_erasure() -> None:
    world, _ = erased_world()
    world.engine.data_version = 2
    answer = world.ask(world.offer(world.people.the_intent("two")))
    assert answer is not None
    assert (answer.status, world.ledger.totals()["node-wide", ""][0]) == ("answer", 2_000_000)


def test_an_erased_release_is_never_answered_with_other_bytes() -> None:
    world, offer = erased_world()
    sent = len(world.sent)
    assert world.ask(offer) is None
    world.engine.data_version = 2
    assert world.ask(offer) is None
    assert world.ask(world.offer(world.people.the_intent(reuse="fresh"))) is not None
    assert world.codes(world.read(world.sent[-1])) == ["node-release-conflict"]
    assert (len(world.sent), world.engine.runs) == (sent + 1, 1)


@pytest.mark.parametrize(
    ("change", "scope"),
    [
        ({"rho_12_months": "0.0009"}, "node-wide"),
        ({"rho_lifetime": "0.0009"}, "project"),
    ],
)
def test_an_exhausted_budget_names_its_scope(change: dict[str, str], scope: str) -> None:
    text = change if scope == "node-wide" else {}
    world = World(People(policy=text, acceptance={"rho_nano": 900_000} if scope == "project" else {}))
    answer = world.ask()
    assert world.codes(answer) == ["budget-exhausted"]
    assert answer is not None
    assert answer.reasons[0]["fields"] == {"scope": scope}
    assert world.ledger.totals() == {}


@pytest.mark.parametrize("who", ["policy", "policy in 12 months", "permit", "acceptance"])
def test_a_projects_cap_is_the_least_of_the_three(who: str) -> None:
    people = People(permit={"rho_nano": 2_000_000} if who == "permit" else {})
    if who == "acceptance":
        people.acceptance["rho_nano"] = 2_000_000
    if who.startswith("policy"):
        people.the_policy = people.the_policy.model_copy(
            update={
                "budget": people.the_policy.budget.model_copy(
                    update={
                        "project": type(people.the_policy.budget.project)(
                            rho_12_months=Decimal("0.002"),
                            rho_lifetime=Decimal("0.002" if who == "policy" else "1"),
                            delta_12_months=Decimal(0),
                            delta_lifetime=Decimal(0),
                        )
                    }
                )
            }
        )
    world = World(people)
    outcomes = []
    for place in range(3):
        answer = world.ask(world.offer(people.the_intent(f"r{place}", reuse="fresh")))
        assert answer is not None
        outcomes.append(answer.status)
    assert outcomes == ["answer", "answer", "refused"]


def test_three_no_answers_suspend_a_person() -> None:
    world = World()
    for place in range(3):
        world.trouble["noise"] = boom
        world.ask(world.offer(world.people.the_intent(f"r{place}")))
    assert world.codes(world.ask(world.offer(world.people.the_intent("four")))) == ["policy-analyst-suspended"]


@pytest.mark.parametrize("moment", [3.0, 4.0])
def test_a_stop_before_the_second_slot_withholds(moment: float) -> None:
    world = World()
    world.clock.at[moment] = lambda: setattr(world, "marked", True)
    assert world.ask() is None
    assert world.ledger.releases[ONE].state is State.WITHHELD
    assert world.ledger.totals()["node-wide", ""][0] == 1_000_000


def test_an_acceptance_taken_back_withholds() -> None:
    world = World()
    world.clock.at[3.5] = lambda: setattr(world, "declined", True)
    assert world.ask() is None
    assert world.ledger.releases[ONE].state is State.WITHHELD


def test_a_stopped_trust_says_nothing_of_a_no_answer_either() -> None:
    world = World()

    def stop_and_fail() -> None:
        world.marked = True
        boom()

    world.trouble["noise"] = stop_and_fail
    assert world.ask() is None
    assert world.ledger.releases[ONE].state is State.DEAD


def test_an_intent_that_would_end_before_its_slot_is_refused_unspent() -> None:
    world = World(People(intent={"not_after": NOW + 4}))
    assert world.codes(world.ask()) == ["node-deadline"]
    assert world.ledger.totals() == {}
    assert World(People(intent={"not_after": NOW + 5})).ask().status == "answer"  # type: ignore[union-attr]


def test_seats_are_given_back_whatever_happens() -> None:
    world = World()
    for place, step in enumerate([*NAMES, ""]):
        if step:
            world.trouble[step] = boom
        world.ask(world.offer(world.people.the_intent(f"r{place}", key_id=key("ada").key_id)))
        world.ledger.days = dict.fromkeys(world.ledger.days, 0)  # old no-answers suspend nobody
    world.ports.seats.take(0)
    world.ports.seats.take(0)
    with pytest.raises(TrustQueryError) as caught:
        world.ports.seats.take(0)
    assert caught.value.code == "node-rate"


def test_without_a_seat_nothing_is_reserved() -> None:
    world = World()
    world.ports.seats.take(0)
    world.ports.seats.take(0)
    assert world.codes(world.ask()) == ["node-rate"]
    assert world.ledger.totals() == {}


def test_the_seat_is_held_until_the_slot_even_when_the_engine_was_quick() -> None:
    world = World()
    free: list[bool] = []

    def look() -> None:
        taken = world.ports.seats._free.acquire(blocking=False)
        free.append(taken and not world.ports.seats._free.acquire(blocking=False))

    world.trouble["witness"] = look
    world.ask()
    assert free == [True]  # one of the two seats was still taken


@pytest.mark.parametrize(("step", "state"), [("commit", State.COMMITTED), ("witness", State.COMMITTED)])
def test_a_shutdown_while_waiting_leaves_the_release_for_the_restart(step: str, state: State) -> None:
    world = World()
    world.trouble[step] = lambda: setattr(world.clock, "down", True)
    assert world.ask() is None
    assert world.ledger.releases[ONE].state is state


def test_a_shutdown_while_a_failure_waits_for_its_slot_leaves_it_started() -> None:
    world = World()
    world.engine.result = RuntimeError("4711")
    world.trouble["engine"] = lambda: setattr(world.clock, "down", True)
    assert world.ask() is None
    assert world.ledger.releases[ONE].state is State.STARTED
    world.clock.down = False
    world.ledger.recover(NOW)
    (release,) = world.ledger.unsent()
    endings.resume(release, world.ports)
    assert world.read(world.sent[-1]).status == "no-answer"


def test_the_published_head_shows_nothing_before_its_slot() -> None:
    world = World()
    seen: list[bytes] = []
    world.trouble["witness"] = lambda: seen.append(world.ports.heads.note)
    world.ask()
    assert seen == [b""]
    assert world.ports.heads.note.startswith(b"test/node/ash\n8\n")


def test_a_head_published_at_anothers_slot_hides_what_is_not_due() -> None:
    world = World()
    heads = world.ports.heads
    world.ledger.events = [("x", "")] * 5
    heads.hold("slow")
    world.ledger.events += [("commit", "slow"), ("commit", "quick")]
    heads.slot("quick")
    assert heads.note.splitlines()[1] == b"5"
    heads.slot("slow")
    assert heads.note.splitlines()[1] == b"7"


@pytest.mark.parametrize("state", [State.RESERVED, State.STARTED])
def test_a_restart_answers_an_interrupted_release_with_no_answer(state: State) -> None:
    world = World()
    world.trouble["start" if state is State.RESERVED else "engine"] = _die
    with pytest.raises(SystemExit):
        world.ask()
    world.ledger.recover(NOW)
    (release,) = world.ledger.unsent()
    endings.resume(release, world.ports)
    answer = world.read(world.sent[-1])
    charged = 0 if state is State.RESERVED else 1_000_000
    assert (answer.status, answer.rho_nano) == ("no-answer", charged)
    assert world.ledger.spent("node-wide", "", NOW).rho_lifetime == charged
    first = world.sent[-1]
    assert world.ask() == answer
    assert world.sent[-1] == first


def _die() -> None:
    raise SystemExit


def test_a_resumed_release_waits_for_its_slot_and_is_checked_again() -> None:
    world = World()
    world.trouble["witness"] = lambda: setattr(world.clock, "down", True)
    world.ask()
    world.clock.down = False
    (release,) = world.ledger.unsent()
    world.clock.waited.clear()
    endings.resume(release, world.ports)
    assert world.clock.waited == [4.0]
    assert len(world.sent) == 1

    late = World()
    late.trouble["witness"] = lambda: setattr(late.clock, "down", True)
    late.ask()
    late.clock.down = False
    late.clock.now += 10_000
    (release,) = late.ledger.unsent()
    endings.resume(release, late.ports)
    assert late.sent == []
    assert late.ledger.releases[ONE].state is State.WITHHELD


def test_an_unreadable_offer_gets_no_reply_and_is_an_alarm() -> None:
    world = World()
    assert world.ask(world.offer(intent=b"{}")) is None
    assert world.ask(world.offer(intent=b"")) is None
    assert world.ask(world.offer(intent=b"x" * 70_000)) is None
    assert [what for what, _ in world.ledger.events] == ["alarm"] * 3
    assert world.ledger.totals() == {}


def test_a_question_of_another_dataset_is_refused() -> None:
    people = People(permit={"datasets": ("made-up", "elsewhere")})
    people.query = question(catalogue_id="elsewhere")
    people.plan = People().plan
    world = World(people)
    assert world.codes(world.ask()) == ["data-table-unavailable"]


@pytest.mark.parametrize("floor", ["", "nhs-hes"])
def test_a_trusts_own_disclosure_profile_is_signed_with_its_answer(floor: str) -> None:
    lines = {"disclosure_profiles": f'["none"]\ndisclosure_floor = "{floor}"'} if floor else {}
    world = World(People(policy=lines))
    answer = world.ask()
    assert answer is not None
    assert answer.status == "answer"
    assert disclosure_floor(answer) == (floor or None)

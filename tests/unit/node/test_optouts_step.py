"""The gate's step on opt-outs: absent, stale and unnamed lists each refuse, before data are read, and cost nothing."""

from __future__ import annotations

import pytest

from node_agent.sources.store import ListUsed
from tests.factories.trust import NOW, People
from tests.lib.gate_world import World

DAY = 86_400
RULE = '\n[opt_outs]\nlists = ["national"]\nmax_age_days = 30\n'


def world(*lists: ListUsed, lines: str = RULE, treatment: str = "applied") -> World:
    """A node whose engine applies these lists."""
    chosen = {"opt_out_treatment": treatment}
    people = People(permit=chosen, intent=chosen, policy={"opt_out_treatments": f'["{treatment}"]', "opt_outs": lines})
    found = World(people)
    found.engine.opt_outs = lists
    return found


def national(age: int = 0) -> ListUsed:
    return ListUsed("national", NOW - age, "a" * 64)


def refused(node: World, code: str) -> None:
    answer = node.ask()
    assert node.codes(answer) == [code]
    assert node.engine.runs == 0
    assert node.ledger.totals() == {}
    assert node.steps[-1] == "optouts"


def test_lists_that_are_fresh_enough_let_the_answer_go() -> None:
    node = world(national(30 * DAY))
    answer = node.ask()
    assert answer is not None
    assert answer.status == "answer"
    assert node.engine.treatment == "applied"


@pytest.mark.parametrize("age", [30 * DAY + 1, 365 * DAY, -1])
def test_a_list_too_old_or_of_a_time_to_come_refuses(age: int) -> None:
    refused(world(national(age)), "policy-optout-stale")


def test_a_clock_that_was_put_back_makes_no_list_younger() -> None:
    node = world(national(30 * DAY))
    node.ledger.clock = NOW + 1
    refused(node, "policy-optout-stale")


def test_the_oldest_list_decides() -> None:
    refused(world(national(), ListUsed("local", NOW - 31 * DAY, "b" * 64)), "policy-optout-stale")


@pytest.mark.parametrize(
    ("lists", "lines"),
    [
        ((), RULE),
        ((ListUsed("type-1", NOW, "a" * 64), ListUsed("local", NOW, "a" * 64)), RULE),
        ((national(),), RULE.replace('"national"', '"national", "type-1"')),
        ((national(),), RULE.replace('"national"', '"local"')),
        ((ListUsed("type-1", NOW, "a" * 64),), RULE.replace('"national"', "")),
        ((national(),), ""),
    ],
    ids=["no list", "no national list", "no type-1", "no local", "national unnamed", "no rule in the policy"],
)
def test_a_list_that_is_absent_refuses(lists: tuple[ListUsed, ...], lines: str) -> None:
    refused(world(*lists, lines=lines), "policy-optout-unavailable")


@pytest.mark.parametrize("treatment", ["exempt-with-basis", "synthetic-data"])
def test_other_treatments_use_no_list_where_permit_and_policy_name_them(treatment: str) -> None:
    node = world(treatment=treatment, lines="")
    answer = node.ask()
    assert answer is not None
    assert (answer.status, node.engine.treatment) == ("answer", treatment)


def test_an_exemption_that_the_policy_does_not_name_is_refused() -> None:
    chosen = {"opt_out_treatment": "exempt-with-basis"}
    node = World(People(permit=chosen, intent=chosen))
    assert node.codes(node.ask()) == ["policy-refused"]
    assert node.engine.runs == 0


def test_another_list_is_another_question_and_so_is_another_treatment() -> None:
    """Same query, same data version: nothing that was drawn under other lists is ever sent again."""
    questions = set()
    for node in (
        world(national()),
        world(national(1)),
        world(treatment="synthetic-data"),
        world(treatment="exempt-with-basis"),
    ):
        node.ask()
        questions |= set(node.ledger.questions.values())
    assert len(questions) == 4

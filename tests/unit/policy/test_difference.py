"""Whether a change only tightens: true where it is proved, and nowhere else."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from tests.factories.trust import policy_text
from trustquery.policy import Policy
from trustquery.policy.difference import compare
from trustquery.policy.meaning import Tighter, every_field, means_of, part_of


def policy(text: str = "", **changes: str) -> Policy:
    return Policy.from_toml(text or policy_text(**changes))


TIGHTER = [
    ("max_rho", "0.1", "0.05"),
    ("max_cells", "100", "99"),
    ("min_trusts", "2", "3"),
    ("min_training_days", "0", "1"),
    ("unknown_keys", "true", "false"),
    ("bootstrap", "true", "false"),
    ("show_budget_left", "true", "false"),
    ("purposes", '["clinical-audit", "health-research"]', '["clinical-audit"]'),
    ("purposes", '["clinical-audit"]', "[]"),
    ("people", "[]", '["eve"]'),
    ("max_queries_per_hour", "100", "0"),
    ("rho_12_months", "0.5", "0.4"),
]


@pytest.mark.parametrize(("key", "wide", "tight"), TIGHTER)
def test_each_direction_is_seen_both_ways(key: str, wide: str, tight: str) -> None:
    forwards = compare(policy(**{key: wide}), policy(**{key: tight}))
    backwards = compare(policy(**{key: tight}), policy(**{key: wide}))
    assert (forwards.is_tightening, len(forwards.tightened), len(forwards.loosened)) == (True, 1, 0)
    assert (backwards.is_tightening, len(backwards.tightened), len(backwards.loosened)) == (False, 0, 1)
    assert forwards.tightened[0].place.endswith(key)
    assert forwards.tightened[0].sentence[0].isupper()


def test_a_first_policy_is_a_loosening_of_refusing_everything() -> None:
    assert not compare(None, policy()).is_tightening


def test_a_new_version_alone_is_a_tightening() -> None:
    found = compare(policy(), policy(version="2"))
    assert found.is_tightening
    assert [change.place for change in found.other] == ["version"]


def test_one_loosening_among_tightenings_is_a_loosening() -> None:
    found = compare(policy(), policy(max_rho="0.01", max_cells="101"))
    assert not found.is_tightening
    assert [change.place for change in found.loosened] == ["queries.max_cells"]
    assert [change.place for change in found.tightened] == ["queries.max_rho"]


def test_another_trust_or_federation_is_never_a_tightening() -> None:
    assert not compare(policy(), policy(trust='"birch"')).is_tightening
    assert not compare(policy(), policy(federation='"other"')).is_tightening


def test_swapping_one_entry_for_another_is_both() -> None:
    found = compare(policy(purposes='["clinical-audit"]'), policy(purposes='["health-research"]'))
    assert (len(found.tightened), len(found.loosened)) == (1, 1)


def test_the_same_list_in_another_order_changes_nothing() -> None:
    one = policy(purposes='["clinical-audit", "health-research"]')
    other = policy(purposes='["health-research", "clinical-audit"]')
    found = compare(one, other)
    assert found.is_tightening
    assert found.tightened == ()


def second(caps: str) -> str:
    rho = f"rho_12_months = {caps}\nrho_lifetime = {caps}\ndelta_12_months = 0\ndelta_lifetime = 0\n"
    before, mark, after = policy_text().partition("[[dataset]]")
    name, _, rest = after.partition("[dataset.budget]")
    return (
        f"{before}{mark}{name.replace('made-up', 'other')}[dataset.budget]\n{rho}\n{mark}{name}[dataset.budget]{rest}"
    )


def test_a_dataset_that_goes_is_a_tightening_unless_a_stricter_cap_goes_with_it() -> None:
    # Datasets kept from one source share the strictest of their caps (node_agent.gate.reserve.scopes).
    assert compare(policy(second("2")), policy()).is_tightening
    assert not compare(policy(second("0.01")), policy()).is_tightening
    assert not compare(policy(), policy(second("0.01"))).is_tightening


def test_profiles_that_come_or_go_are_not_proved() -> None:
    with_caps = policy(profiles="0.01 0.2")
    assert not compare(policy(), with_caps).is_tightening
    assert not compare(with_caps, policy()).is_tightening
    assert compare(with_caps, policy(profiles="0.01 0.1")).is_tightening


@pytest.mark.parametrize(("place", "model", "name"), list(every_field(Policy)), ids=str)
def test_every_key_says_which_way_is_tighter(place: str, model: type[BaseModel], name: str) -> None:
    means = means_of(model, name)
    assert means is not None, f"{place}: say in the schema which way is tighter, else a change of it is a loosening"
    parts = means.tighter in (Tighter.PARTS, Tighter.ENTRIES)
    assert parts is (part_of(model.model_fields[name].annotation) is not None)

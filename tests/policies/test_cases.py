"""The shipped policies decide what their cases say, and the cases hold every branch of the rules down."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.policies.mutants import CASES, LEAST, ready_cases, run
from trustquery.policy import RULES, Policy, cases, evaluate

POLICIES = CASES.parent
SHIPPED = sorted([*(POLICIES / "examples").glob("*.toml"), *(POLICIES / "baseline").glob("*.toml")])
READY = ready_cases()


@pytest.mark.parametrize("ready", READY, ids=lambda ready: f"{ready.policy.trust}: {ready.case.name}")
def test_a_case_is_decided_as_it_says(ready: cases.Ready) -> None:
    assert cases.run(ready).differs == ()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_policy_has_cases(path: Path) -> None:
    assert Policy.from_toml(path.read_text(encoding="utf-8")).format == "tq-policy-2"
    text = (CASES / path.name).read_text(encoding="utf-8")
    found = cases.Cases.from_toml(text, name=path.name)
    assert (CASES / found.policy).resolve() == path.resolve()


def test_every_rule_is_seen_on_both_sides() -> None:
    objecting = {rule for ready in READY for rule in ready.case.expect.rules}
    # A malformed request is refused before it becomes a case: tests/security/test_policy_fails_closed.py.
    assert objecting == {rule.id for rule in RULES} - {"request"}
    assert any(ready.case.expect.allowed for ready in READY)


def test_a_failing_case_says_what_differs() -> None:
    ready = next(one for one in READY if one.case.expect.rules == ("purpose",))
    wrong = ready.case.model_copy(
        update={"expect": ready.case.expect.model_copy(update={"allowed": True, "rules": ()})}
    )
    outcome = cases.run(cases.Ready(wrong, ready.policy, ready.request))
    assert outcome.differs == (
        "expected allowed, was refused",
        "expected rules that object: none; found: purpose",
    )


def test_the_cases_kill_nearly_every_mutant_of_the_rules() -> None:
    report = run()
    assert report.mutants > 200
    assert report.score >= LEAST, "\n".join(report.survivors)


def test_ten_thousand_requests_are_judged_in_well_under_a_second_each_thousand() -> None:
    ready = READY[0]
    start = time.process_time()
    for _ in range(1_000):
        evaluate(ready.policy, ready.request)
    # 10,000 stored requests are to be replayed within 5 s: half of that, on a machine that is busy.
    assert time.process_time() - start < 0.25

"""Nothing hangs, nothing breaks the run, and what could not be looked at is never counted as passed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from node_agent.config import Home
from node_agent.preflight import CHECKS, Check, Outcome, Result, World, run_checks
from node_agent.preflight.results import ANYWHERE
from trustquery.errors import TrustQueryError

GOOD = Outcome("pass", "good")


def found(*checks: Check) -> list[Result]:
    return list(run_checks(checks, World(Home(Path("/nonexistent")), None, 0)))


def test_what_hangs_has_failed_and_the_next_check_runs() -> None:
    def hangs(_: World) -> list[Result]:
        time.sleep(60)
        return [Result(GOOD)]

    began = time.monotonic()
    slow, good = found(
        Check("slow", "?", hangs, (GOOD,), seconds=0.2), Check("good", "?", lambda _: [Result(GOOD)], (GOOD,))
    )
    assert time.monotonic() - began < 5
    assert (slow.check, slow.outcome.kind) == ("slow", "fail")
    assert (good.check, good.outcome) == ("good", GOOD)


@pytest.mark.parametrize("error", [ValueError("SECRET"), TrustQueryError("node-proxy-auth", proxy="p:1")])
def test_what_breaks_has_failed_without_the_words_of_a_library(error: Exception) -> None:
    def breaks(_: World) -> list[Result]:
        raise error

    (result,) = found(Check("broken", "?", breaks, (GOOD,)))
    assert result.outcome.kind == "fail"
    assert "SECRET" not in result.text + result.fix
    assert result.fix


def test_an_outcome_that_is_not_declared_is_a_fault() -> None:
    with pytest.raises(TypeError):
        found(Check("odd", "?", lambda _: [Result(Outcome("pass", "other"))], (GOOD,)))


def test_every_outcome_that_is_not_good_says_what_to_do() -> None:
    outcomes = [outcome for check in CHECKS for outcome in check.outcomes] + list(ANYWHERE)
    assert [outcome.text for outcome in outcomes if outcome.kind in ("warn", "fail") and not outcome.fix] == []
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_on_an_empty_machine_only_the_disk_can_pass() -> None:
    """Nothing is set, nobody is enrolled: a check that cannot look says so."""
    results = list(run_checks(CHECKS, World(Home(Path("/nonexistent")), None, 0)))
    assert {result.check for result in results if result.outcome.kind == "pass"} <= {"settings", "disk"}
    assert {result.check for result in results} == {check.name for check in CHECKS}

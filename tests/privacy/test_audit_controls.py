"""The audit can fail: each planted fault is seen by the checks that must see it, and the command then says so."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from audits import work
from audits.__main__ import main
from audits.audit import audit
from audits.composition import books
from audits.controls import BOOK_FAULTS, FAULT_DRAWS, FAULTS, NOISE_FAULTS, BookFault, Fault, NoiseFault
from audits.mechanisms import named
from audits.product import SHIPPED
from audits.releases import random_releases
from audits.sampler import sample

ROOT = Path(__file__).resolve().parents[2]
SEED = 20261121
RUNS = 20_000
NOT_RUN = "needs dp-accounting, which is not in the tests' lock"


@pytest.mark.acceptance("PRV-05")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda item: item.name)
def test_a_fault_in_a_mechanism_is_seen(fault: Fault) -> None:
    found = audit(named(fault.on), runs=fault.runs(RUNS), seed=SEED, product=fault.product)
    assert set(fault.seen_by) <= set(found.broken)


@pytest.mark.acceptance("PRV-06")
@pytest.mark.parametrize("fault", NOISE_FAULTS, ids=lambda item: item.name)
def test_a_fault_in_the_sampler_is_seen(fault: NoiseFault) -> None:
    assert set(fault.seen_by) <= set(sample(fault.sigma, FAULT_DRAWS, fault.noise).broken)


@pytest.mark.acceptance("PRV-14")
@pytest.mark.parametrize("fault", BOOK_FAULTS, ids=lambda item: item.name)
def test_a_fault_in_the_books_is_seen(fault: BookFault) -> None:
    assert books(random_releases(SEED, 200), ledger=fault.ledger, charge=fault.charge).unequal


def result(text: str) -> dict[str, Any]:
    """What the last line says."""
    word, _, line = text.splitlines()[-1].partition(" ")
    assert word == "RESULT"
    found: dict[str, Any] = json.loads(line)
    return found


def test_the_command_says_that_a_claim_is_broken() -> None:
    command = [sys.executable, "-m", "audits", "--workers", "1", "--runs", str(RUNS), "--plant", "half the noise"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3, done.stderr
    assert "BROKEN: count of rows: cells, rho" in done.stdout
    assert result(done.stdout)["broken_claims"] == 1


def test_the_command_says_that_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--workers", "1", "--runs", "2000", "--only", "count of rows", "--only", "count of people"]) == 0
    found = result(capsys.readouterr().out)
    assert (found["mechanisms"], found["runs"], found["broken_claims"]) == (2, 2000, 0)


def test_the_command_fails_when_a_fault_is_not_seen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A control that has no fault in it."""
    blind = dataclasses.replace(FAULTS[0], name="nothing wrong", product=SHIPPED)
    monkeypatch.setattr(work, "FAULTS", (blind,))
    monkeypatch.setattr(work, "NOISE_FAULTS", ())
    monkeypatch.setattr(work, "BOOK_FAULTS", ())
    monkeypatch.setattr(work, "shown_fault", lambda seed: work.Control("shown", NOT_RUN, (), ()))
    monkeypatch.setattr("audits.__main__.ACCOUNTING", Path(sys.executable))
    assert main(["--workers", "1", "--runs", "2000", "--part", "controls"]) == 3
    printed = capsys.readouterr().out
    assert "NOT CAUGHT: nothing wrong" in printed
    found = result(printed)
    assert (found["controls"], found["controls_caught"], found["broken_claims"]) == (2, 1, 0)


def test_the_command_does_not_leave_the_accountant_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("audits.__main__.ACCOUNTING", tmp_path / "python")
    assert main(["--workers", "1"]) == 30
    assert "make audit-privacy" in capsys.readouterr().err

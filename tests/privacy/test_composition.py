"""Composition: the node's ledger adds up to the last unit, and no epsilon is shown below that of another accountant.

``dp-accounting`` pins packages below ours, so it cannot be in the tests' lock. Its values for 200 compositions are kept
in audits/vectors, written by ``make audit-privacy ARGS=--full``, which also computes 10,000 anew.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from audits.accountant import loss_of
from audits.composition import Composed, References, books, shown_epsilon
from audits.controls import epsilon_at_a_larger_delta
from audits.releases import random_releases
from audits.work import Compared
from trustquery.privacy.budget import DEFAULT_DELTA, charge_nano

SEED = 20261121
VECTORS = Path(__file__).resolve().parents[2] / "audits" / "vectors" / "dp_accounting.jsonl"


@pytest.mark.acceptance("PRV-14")
def test_the_ledger_equals_an_independent_accountant_to_the_last_unit() -> None:
    found = books(random_releases(SEED, 600))
    assert found.unequal == ()
    assert found.releases == 600
    # Node-wide, 2 datasets, 4 projects and 9 people, over 12 months and in all.
    assert found.subjects == 2 * (1 + 2 + 4 + 9)


def kept() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    head, *lines = map(json.loads, VECTORS.read_text(encoding="utf-8").splitlines())
    return head, lines


def compared() -> Compared:
    """The compositions kept, charged by the shipped arithmetic."""
    _, lines = kept()
    asked = []
    for line in lines:
        blocks = tuple((int(squared), int(sigma)) for squared, sigma in line["blocks"])
        asked.append(Composed(blocks, sum(charge_nano(squared, sigma) for squared, sigma in blocks)))
    references = [References(line["moments"], line["grid"], line["single"]) for line in lines]
    return Compared(tuple(asked), tuple(references))


@pytest.mark.acceptance("PRV-14")
def test_no_epsilon_is_shown_below_that_of_dp_accounting() -> None:
    head, lines = kept()
    assert head["source"].startswith("dp-accounting ")
    assert Decimal(head["delta"]) == DEFAULT_DELTA
    assert len(lines) == 200
    found = compared()
    assert found.below == 0
    # Nor is the loss overstated beyond what ADR 0006 says of the formula.
    assert 1 < min(found.ratios) < max(found.ratios) < 1.5


def test_the_accountants_three_ways_agree() -> None:
    """The one Gaussian that a composition equals: no upper limit is below it, and the grid's is within 2 % of it."""
    _, lines = kept()
    for line in lines:
        assert line["single"] <= line["moments"]
        assert line["single"] * 0.9999 <= line["grid"] <= line["single"] * 1.02


def test_charges_cover_the_exact_loss() -> None:
    for item in compared().asked:
        exact = sum(loss_of(squared, sigma) for squared, sigma in item.blocks)
        assert exact * 10**9 <= item.rho_nano < exact * 10**9 + len(item.blocks)


def test_an_epsilon_at_a_larger_delta_would_be_noticed() -> None:
    found = compared()
    shown = [float(epsilon_at_a_larger_delta(item.rho_nano)) for item in found.asked]
    assert any(epsilon < reference.tightest for epsilon, reference in zip(shown, found.references, strict=True))
    assert shown_epsilon(0) == 0

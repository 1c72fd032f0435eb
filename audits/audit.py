"""All checks of one mechanism, and what they found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from audits.draws import key_runs, vector_runs
from audits.limits import FALSE_ALARM, epsilon_at_least, rho_at_least, scores
from audits.mechanisms import Mechanism
from audits.neighbours import Neighbours, neighbours
from audits.population import CATALOGUE
from audits.product import Product
from audits.single import are_whole, is_independent, noise_alone
from audits.statistics import clopper_pearson, discrete_gaussian_tail
from trustquery.planning import Plan, compile_plan
from trustquery.privacy.budget import ATTO, DEFAULT_DELTA, NANO, epsilon_of

__all__ = ["CHECKS", "Finding", "audit"]

CHECKS = {
    "sensitivity": "no block's exact integers move by more than the plan charges for",
    "others": "the person adds what the person alone would give: nobody else's rows are chosen anew",
    "whole": "every released figure is a whole number",
    "cells": "noise is independent from cell to cell and from run to run, with the planned sigma",
    "epsilon": "no threshold event proves more than the claimed epsilon at its delta (99.9 %)",
    "rho": "the divergence proved by the runs is at most the claimed rho (99.9 %)",
    "threshold": "a key of one person alone is named with a chance of at most the claimed delta (exactly, and 99.9 %)",
    "charge": "the node's ledger charges what the plan says, once, however often the question is asked",
}


@dataclass(frozen=True)
class Finding:
    """What the runs of one mechanism show.

    Attributes:
        rho_claimed: what is charged, in rho.
        rho_of_person: exact loss of the person audited; equal to the claim but for rounding where the person is the
            worst there can be.
        rho_at_least: lower limit at 99.9 %; None where the person changes no cell that is always released.
        epsilon_claimed: as shown to people, at ``DEFAULT_DELTA``.
        epsilon_at_least: lower limit at 99.9 %, at the same delta.
        delta_claimed: of the threshold; None without one.
        delta_at_least: lower limit at 99.9 % on the chance that a key of the person's own was named.
        runs: with the person, and as many without.
        broken: names of the checks that failed, in the order of ``CHECKS``.
    """

    mechanism: str
    rho_claimed: float
    rho_of_person: float
    rho_at_least: float | None
    epsilon_claimed: float
    epsilon_at_least: float | None
    delta_claimed: float | None
    delta_at_least: float | None
    runs: int
    broken: tuple[str, ...]


def audit(
    mechanism: Mechanism, *, runs: int, seed: int, product: Product, progress: Callable[[int], None] | None = None
) -> Finding:
    """Run every check.

    Args:
        runs: releases with the person, and as many without.
        seed: of the data.
        product: what is audited; ``SHIPPED``, or one with a planted fault.
        progress: called with the number of runs done, of ``2 * runs``.
    """
    told = progress or (lambda done: None)
    pair = neighbours(mechanism, seed, product)
    single = noise_alone(pair, product)
    broken = {
        "sensitivity": not pair.sensitivity_holds(),
        "others": not pair.others_are_unchanged(),
        "whole": not are_whole(single),
        "cells": not is_independent(pair, single),
    }
    charge = pair.plan.rho_nano
    rho_claimed = Fraction(charge, NANO)
    epsilon_claimed = epsilon_of(charge, DEFAULT_DELTA)
    delta_claimed = delta_found = rho_found = epsilon_found = None
    if pair.plan.has_unknown_keys:
        present, shown = key_runs(pair, pair.present, runs, product, told)
        absent, ghosts = key_runs(pair, pair.absent, runs, product, lambda done: told(runs + done))
        delta_claimed = pair.plan.delta_atto / ATTO
        delta_found = clopper_pearson(shown, runs, FALSE_ALARM)[0]
        broken["threshold"] = ghosts > 0 or delta_found > delta_claimed or not _tails_hold(pair)
    else:
        present, charged = vector_runs(pair, pair.present, runs, product, told)
        absent, again = vector_runs(pair, pair.absent, runs, product, lambda done: told(runs + done))
        broken["charge"] = {charged, again} != {charge}
    if present.shape[1]:
        found = scores(pair, present, absent)
        rho_found, epsilon_found = rho_at_least(found), epsilon_at_least(found, float(DEFAULT_DELTA))
        broken |= {"rho": rho_found > rho_claimed, "epsilon": Decimal(epsilon_found) > epsilon_claimed}
    return Finding(
        mechanism=mechanism.name,
        rho_claimed=float(rho_claimed),
        rho_of_person=float(pair.rho),
        rho_at_least=rho_found,
        epsilon_claimed=float(epsilon_claimed),
        epsilon_at_least=epsilon_found,
        delta_claimed=delta_claimed,
        delta_at_least=delta_found,
        runs=runs,
        broken=tuple(check for check in CHECKS if broken.get(check)),
    )


def _tails_hold(pair: Neighbours) -> bool:
    """Whether one of a person's own keys is named with a chance of at most delta, exactly.

    In the plan audited, and in the one that the planner makes.
    """

    def holds(plan: Plan) -> bool:
        [block] = plan.blocks
        tail = discrete_gaussian_tail(block.sigma_float, block.threshold - block.bound.rows)
        return block.bound.groups * tail <= Decimal(block.delta_atto) / ATTO

    return holds(pair.plan) and holds(compile_plan(pair.query, CATALOGUE))

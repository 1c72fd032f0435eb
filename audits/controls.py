"""Planted faults: each must be seen by the very checks that the shipped functions pass, or the audit proves nothing.

Nothing of the product may import this module; an import contract says so.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audits.accountant import loss_of, squared_sensitivity
from audits.population import CATALOGUE, Rows
from audits.product import SHIPPED, Answered, Noise, Product
from node_agent.budget import Reservation, ScopeLimit, SqliteLedger
from trustquery import reference
from trustquery.identity import new_secret
from trustquery.model import Query
from trustquery.planning import Plan
from trustquery.planning.plan import Block
from trustquery.privacy.budget import charge_nano, epsilon_of
from trustquery.privacy.noise import add_noise

__all__ = [
    "BOOK_FAULTS",
    "FAULTS",
    "FAULT_DRAWS",
    "NOISE_FAULTS",
    "BookFault",
    "Fault",
    "NoiseFault",
    "epsilon_at_a_larger_delta",
]

FAULT_DRAWS = 90_000
"""Of the sampler: every fault below is then seen but for a chance below 1e-9."""


@dataclass(frozen=True)
class Fault:
    """A fault in a mechanism.

    Attributes:
        name: as it stands in the report.
        on: name of the mechanism that is audited with it.
        seen_by: the checks of ``audits.audit`` that must all fail.
        product: the functions with the fault.
    """

    name: str
    on: str
    seen_by: tuple[str, ...]
    product: Product

    def runs(self, most: int) -> int:
        """As many as the checks need: those on exact integers and single releases need none."""
        return most if {"epsilon", "rho", "threshold"} & set(self.seen_by) else min(most, 1_000)


@dataclass(frozen=True)
class NoiseFault:
    """A fault in the sampler: at ``sigma``, the checks of ``audits.sampler`` that must all fail."""

    name: str
    sigma: float
    seen_by: tuple[str, ...]
    noise: Noise


@dataclass(frozen=True)
class BookFault:
    """A fault in charging or in the ledger, which the accountant must notice."""

    name: str
    ledger: Callable[[Path], SqliteLedger] = SqliteLedger
    charge: Callable[[Plan], int] = lambda plan: plan.rho_nano


def _with_sigma(plan: Plan, change: Callable[[Block], int]) -> Plan:
    """The plan with other sigmas, each charged for what it is: the shipped sampler draws for it."""
    return dataclasses.replace(
        plan,
        blocks=tuple(
            dataclasses.replace(
                block, sigma=change(block), rho_nano=charge_nano(block.l2_sensitivity_squared, change(block))
            )
            for block in plan.blocks
        ),
    )


def half_the_noise(vector: Sequence[int], plan: Plan) -> list[int]:
    """Sigma by half, as by a variance taken for a standard deviation's double."""
    return add_noise(vector, _with_sigma(plan, lambda block: block.sigma // 2))


def one_row_too_many(query: Query, rows: Rows) -> list[int]:
    """R + 1 rows of a person are kept, and R are charged for."""
    more = tuple(
        dataclasses.replace(terms, bound=dataclasses.replace(terms.bound, rows=terms.bound.rows + 1))
        for terms in query.terms
    )
    return SHIPPED.vector(query.on(more), rows)


def twice_the_total(query: Query, rows: Rows) -> list[int]:
    """Totals of a person are let through up to 2·C, and C is charged for."""
    more = tuple(
        dataclasses.replace(terms, bound=dataclasses.replace(terms.bound, total=2 * terms.bound.total))
        for terms in query.terms
    )
    return SHIPPED.vector(query.on(more), rows)


def one_level_of_noise(vector: Sequence[int], plan: Plan) -> list[int]:
    """The noise of bins alone, on a tree whose every level a row moves."""
    return add_noise(
        vector, _with_sigma(plan, lambda block: block.sigma // math.isqrt(len(block.levels) * 10**6) * 1000)
    )


def by_place(query: Query, rows: Rows) -> list[int]:
    """Every second row of each table is taken, by its place in the table."""
    return SHIPPED.vector(query, {table: held[::2] for table, held in rows.items()})


def by_size(query: Query, rows: Rows) -> list[int]:
    """Ranks are drawn anew from the number of people: a person more, and everybody's kept rows are others."""
    people = {item["person_id"] for held in rows.values() for item in held}
    key = hashlib.sha256(str(len(people)).encode()).digest()
    return reference.evaluate(query, CATALOGUE, rows, rank_key=key, data_version=1)


def one_draw_for_all_cells(vector: Sequence[int], plan: Plan) -> list[int]:
    """Each block has one draw of noise, which all of its cells share."""
    drawn = add_noise([0] * plan.length, plan)
    shared = [drawn[block.offset] for block in plan.blocks for _ in range(block.length)]
    return [value + noise for value, noise in zip(vector, shared, strict=True)]


def one_draw_for_all_runs() -> Noise:
    """Noise is drawn once and kept for the next release."""
    kept: list[int] = []

    def noise(vector: Sequence[int], plan: Plan) -> list[int]:
        if len(kept) < len(vector):
            kept.extend(add_noise([0] * plan.length, plan))
        return [value + drawn for value, drawn in zip(vector, kept, strict=False)]

    return noise


def cut_off(sigmas: float) -> Noise:
    """Noise beyond so many standard deviations is moved to that bound, so that no figure looks odd."""

    def noise(vector: Sequence[int], plan: Plan) -> list[int]:
        noised = add_noise(vector, plan)
        reach = [int(sigmas * block.sigma_float) for block in plan.blocks for _ in range(block.length)]
        return [
            exact + max(-most, min(most, value - exact))
            for exact, value, most in zip(vector, noised, reach, strict=True)
        ]

    return noise


def none_where_nobody_is(vector: Sequence[int], plan: Plan) -> list[int]:
    """Cells of 0 stay 0, to keep the table small."""
    return [value and noised for value, noised in zip(vector, add_noise(vector, plan), strict=True)]


def threshold_without_own_rows(counts: Mapping[str, int], plan: Plan) -> dict[str, int]:
    """The threshold leaves out the R rows that a person's own key starts from."""
    [block] = plan.blocks
    flat = dataclasses.replace(plan, axes=(), blocks=(dataclasses.replace(block, length=len(counts)),))
    noised = dict(zip(counts, add_noise(list(counts.values()), flat), strict=True))
    return {label: value for label, value in sorted(noised.items()) if value >= block.threshold - block.bound.rows}


def fresh_repeats(noise: Noise, exact: Sequence[int], plan: Plan, charge_nano: int, times: int) -> Answered:
    """A repeat is drawn anew, and charged once."""
    return Answered([noise(exact, plan) for _ in range(times)], charge_nano)


def charged_each_time(noise: Noise, exact: Sequence[int], plan: Plan, charge_nano: int, times: int) -> Answered:
    """A repeat is the stored vector, and is charged again: no loss, and still not what the plan says."""
    found = SHIPPED.answers(noise, exact, plan, charge_nano, times)
    return dataclasses.replace(found, charged_nano=charge_nano * times)


# -- noise in floating point ---------------------------------------------------------------------------------------


def _gaussian(number: int) -> NDArray[np.float64]:
    """Continuous standard normal draws in doubles, by Box and Muller, from the system's random bytes."""
    uniform = (np.frombuffer(new_secret(16 * number), "<u8").reshape(2, number) >> 11).astype(np.float64) * 2.0**-53
    found: NDArray[np.float64] = np.sqrt(-2 * np.log1p(-uniform[0])) * np.cos(2 * math.pi * uniform[1])
    return found


def _scales(plan: Plan) -> NDArray[np.float64]:
    return np.concatenate([np.full(block.length, block.sigma_float) for block in plan.blocks])


def floating(vector: Sequence[int], plan: Plan) -> list[Any]:
    """A continuous Gaussian added as a double: the last bits tell which exact value it was added to (Mironov 2012)."""
    found: list[Any] = (np.array(vector, np.float64) + _gaussian(plan.length) * _scales(plan)).tolist()
    return found


def rounded(vector: Sequence[int], plan: Plan) -> list[int]:
    """A continuous Gaussian, rounded to whole numbers and added exactly."""
    drawn = np.rint(_gaussian(plan.length) * _scales(plan)).astype(np.int64).tolist()
    return [value + noise for value, noise in zip(vector, drawn, strict=True)]


def added_in_doubles(vector: Sequence[int], plan: Plan) -> list[int]:
    """The right noise, added to the exact value in a double: beyond 2^53 only multiples of powers of two come out."""
    drawn = add_noise([0] * plan.length, plan)
    return [int(float(value) + float(noise)) for value, noise in zip(vector, drawn, strict=True)]


# -- charges and books -------------------------------------------------------------------------------------------------


def rounded_down(plan: Plan) -> int:
    """Each block's loss rounded down instead of up."""
    losses = (loss_of(squared_sensitivity(block), int(block["sigma"])) for block in plan.document()["blocks"])
    return sum(math.floor(10**9 * loss) for loss in losses)


def square_root_of_rows(plan: Plan) -> int:
    """G·R·A² for G·(R·A)²: right only where rows were people."""
    losses = (
        Fraction(1, max(block.bound.rows, 1)) * loss_of(block.l2_sensitivity_squared, block.sigma)
        for block in plan.blocks
    )
    return sum(math.ceil(10**9 * loss) for loss in losses)


class FreeRepeats(SqliteLedger):
    """A ledger that charges nobody for a stored answer, not even a project that sees it for the first time."""

    def _owes(self, reservation: Reservation, item: ScopeLimit) -> bool:
        return not reservation.stored


class OneScopeShort(SqliteLedger):
    """A ledger that forgets the dataset's scope."""

    def _owes(self, reservation: Reservation, item: ScopeLimit) -> bool:
        return item.scope != "dataset" and super()._owes(reservation, item)


def epsilon_at_a_larger_delta(rho_nano: int) -> Decimal:
    """The epsilon of delta 1e-4, shown as if it were that of 1e-8."""
    return epsilon_of(rho_nano, Decimal("1e-4"))


def _noise(noise: Noise) -> Product:
    return dataclasses.replace(SHIPPED, noise=noise)


FAULTS: tuple[Fault, ...] = (
    Fault("half the noise", "count of rows", ("rho", "cells"), _noise(half_the_noise)),
    Fault("half the noise, several statistics", "several statistics", ("rho", "cells"), _noise(half_the_noise)),
    Fault(
        "one row too many kept",
        "sum with negative bounds",
        ("sensitivity", "rho"),
        dataclasses.replace(SHIPPED, vector=one_row_too_many),
    ),
    Fault(
        "twice the total kept",
        "totals over all cells",
        ("sensitivity",),
        dataclasses.replace(SHIPPED, vector=twice_the_total),
    ),
    Fault("a tree with the noise of one level", "quantile from a tree", ("rho", "cells"), _noise(one_level_of_noise)),
    Fault("rows by place", "sum with negative bounds", ("others",), dataclasses.replace(SHIPPED, vector=by_place)),
    Fault("ranks by table size", "many cells", ("others",), dataclasses.replace(SHIPPED, vector=by_size)),
    Fault("one draw for all cells", "many cells", ("cells",), _noise(one_draw_for_all_cells)),
    Fault("one draw for all runs", "count of rows", ("cells",), _noise(one_draw_for_all_runs())),
    Fault("noise cut off at two sigma", "count of rows", ("epsilon",), _noise(cut_off(2))),
    # One cell in six is empty, which the sums of squares of 400 releases miss one time in six.
    Fault("no noise where nobody is", "count of people", ("epsilon",), _noise(none_where_nobody_is)),
    Fault("noise in doubles", "histogram", ("whole",), _noise(floating)),
    Fault(
        "threshold without own rows",
        "unknown keys, one person's own",
        ("threshold",),
        dataclasses.replace(SHIPPED, keys=threshold_without_own_rows),
    ),
    Fault("fresh repeats", "repeat of a query", ("rho",), dataclasses.replace(SHIPPED, answers=fresh_repeats)),
    Fault(
        "repeats charged again",
        "repeat of a query",
        ("charge",),
        dataclasses.replace(SHIPPED, answers=charged_each_time),
    ),
)
NOISE_FAULTS: tuple[NoiseFault, ...] = (
    NoiseFault("rounded Gaussian", 1.0, ("low bits", "variance"), rounded),
    NoiseFault("Gaussian in doubles", 4.2, ("whole",), floating),
    NoiseFault("added in doubles", 4.2, ("law on 2^62", "law on -2^62", "low bits"), added_in_doubles),
    NoiseFault("sampler cut off at 2.5 sigma", 134.0, ("tails",), cut_off(2.5)),
    NoiseFault("sampler with half the sigma", 134.0, ("law on 0", "variance", "tails"), half_the_noise),
)
BOOK_FAULTS: tuple[BookFault, ...] = (
    BookFault("charges rounded down", charge=rounded_down),
    BookFault("square root of R charged", charge=square_root_of_rows),
    BookFault("repeats free for everybody", ledger=FreeRepeats),
    BookFault("one scope forgotten", ledger=OneScopeShort),
)

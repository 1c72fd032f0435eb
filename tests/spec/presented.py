"""What the questions' tables must be under a disclosure profile: shown as it says, and telling nothing of the rest."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from tests.spec.question_worlds import World
from tools.question_specs import Asked
from trustquery.model import Query
from trustquery.model.nodes import Aggregate
from trustquery.outputs import Estimate, Table
from trustquery.outputs.figures import Figure
from trustquery.outputs.margins import fixed
from trustquery.outputs.presenting import Presented, rests_on
from trustquery.outputs.profiles import REASONS, Profile
from trustquery.planning import Plan
from trustquery.planning.plan import Block

__all__ = ["check_counts", "check_table", "mixed", "told_apart"]

COUNTS = ("count", "count_distinct_person")
MOST_CELLS = 1_500
"""Cells that are looked at one by one; of larger tables every so-manyth."""


def mixed(plan: Plan, vector: Sequence[int]) -> list[int]:
    """Every other cell as if nine times as many people were in it, so that there are large counts beside small ones."""
    found = list(vector)
    for block in plan.blocks:
        for place in range(block.length):
            found[block.offset + place] *= 9 if (place // block.width) % 2 else 1
    return found


def _presented(query: Query, plan: Plan, vector: Sequence[int], profile: Profile) -> Presented:
    """The figures of each cell, from a vector without noise."""

    def drawn(block: Block, cell: int, place: int) -> Figure:
        return Figure(float(vector[block.offset + cell * block.width + place]), {})

    return Presented(query, plan, profile, drawn)


def check_counts(query: Query, plan: Plan, vector: Sequence[int], profile: Profile) -> tuple[int, int]:
    """Every count of every cell is withheld with a reason or rounded as the profile says, and no withheld one follows
    from the shown ones.

    Returns:
        How many are shown, and how many withheld.
    """
    presented = _presented(query, plan, vector, profile)
    blocks = [block for block in plan.blocks if block.kind in COUNTS or block.statistic in presented._binned]
    shown = withheld = 0
    cells = {block.length // block.width for block in blocks}
    last = max(cells, default=0)
    for cell in range(0, last, last // MOST_CELLS + 1):
        hidden = set()
        for block in blocks:
            for place in range(block.width):
                raw = vector[block.offset + cell * block.width + place]
                figure = presented.figure(block, cell, place)
                if figure.value is None:
                    assert figure.suppressed in ("small-count", "margin")
                    assert (figure.suppressed == "small-count") is (raw < profile.minimum_released_count)
                    hidden.add((block.statistic, place))
                else:
                    assert raw >= profile.minimum_released_count
                    assert figure.value == (raw + profile.rounding // 2) // profile.rounding * profile.rounding
                    shown += 1
        withheld += len(hidden)
        assert fixed(presented._ties, hidden) == set()
    return shown, withheld


def check_table(table: Table) -> None:
    """Suppressed has its reason in JSON and in a sheet, with no figure, no interval, no blank and no 0 in its place."""
    document = json.loads(json.dumps(table.document(), allow_nan=False))
    sheet = table.flat_columns("Suppressed")
    text = io.StringIO()
    csv.writer(text).writerows([list(sheet), *zip(*sheet.values(), strict=True)])
    read_again = list(csv.DictReader(io.StringIO(text.getvalue())))
    for number, row in enumerate(table.rows):
        for place, (cell, column) in enumerate(zip(row, table.columns, strict=True)):
            if not isinstance(cell, Estimate) or not cell.suppressed:
                continue
            assert (cell.value, cell.low, cell.high, cell.combined) == (None, None, None, None)
            assert document["rows"][number][place] == {
                "suppressed": cell.suppressed, "reason": REASONS[cell.suppressed]
            }  # fmt: skip
            line = read_again[number]
            assert line[column.name] == line[f"{column.name}_low"] == line[f"{column.name}_high"] == "Suppressed"
            assert line[f"{column.name}_suppressed"] in (cell.suppressed, REASONS[cell.suppressed])


def told_apart(
    world: World,
    asked: Asked,
    query: Query,
    plan: Plan,
    vector: list[int],
    table: Table,
    profile: Profile,
    *,
    shown_under: Profile | None = None,
) -> bool:
    """Whether the table differs when only what is withheld is another: counts that are too small, and sums on them.

    Args:
        table: of the vector, under ``shown_under``: the profile unless another is named.
    """
    other, least = list(vector), profile.minimum_released_count
    presented = _presented(query, plan, vector, profile)
    for block in plan.blocks:
        for place in range(block.length):
            at = block.offset + place
            if block.kind in COUNTS and vector[at] < least:
                other[at] = (at * 7919) % least if at % 3 else -at
            elif block.kind == "sum" and not _counts_itself(query.aggregates[block.statistic]):
                on = [one for one in plan.blocks if rests_on(query, block.statistic, one.statistic)]
                if any(presented.figure(one, place).value is None for one in on) or not on:
                    other[at] = vector[at] + 12_345 * (at + 1)
    if other == vector:
        return False
    return world.table(asked, query, plan, other, profile=shown_under or profile).document() != table.document()


def _counts_itself(aggregate: Aggregate) -> bool:
    """Whether a sum may be one of flags, which is withheld as a count."""
    return aggregate.fraction_bits == 0

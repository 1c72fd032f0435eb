"""Bins and a count of the same rows are made to agree."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np

from tests.factories.catalogues import made_up
from trustquery.language import compile_query
from trustquery.outputs import Estimate, read
from trustquery.outputs.consistent import agreed
from trustquery.outputs.figures import noised
from trustquery.planning import compile_plan

SQL = "SELECT count(size) AS n, histogram(size, [2, 4, 6]) AS h FROM event"


def test_cells_sum_to_the_total_that_stands_beside_them() -> None:
    query = compile_query(SQL, made_up(), epsilon=Decimal(1))
    plan = compile_plan(query, made_up())
    table = read(query, plan, [100, 20, 30, 40, 50], 1, made_up())
    names = [column.name for column in table.columns]
    rows = [[cell for cell in row if isinstance(cell, Estimate)] for row in table.rows]
    counts = [row[0].value for row in rows]
    bins = [row[-1].value for row in rows]
    assert names == ["n", "h_bin", "h"]
    assert len(set(counts)) == 1
    assert counts[0] is not None
    assert math.isclose(sum(value or 0.0 for value in bins), counts[0])
    assert 100 < counts[0] < 140


def test_agreeing_makes_each_closer_and_the_intervals_say_so() -> None:
    source = np.random.default_rng(3)
    truth, sd = np.array([20.0, 30.0, 50.0]), 4.0
    off, covered = [], 0
    for _ in range(2000):
        draws = source.normal(0, sd, 4)
        bins = [noised(value + draw, place, sd) for place, (value, draw) in enumerate(zip(truth, draws, strict=False))]
        whole, parts = agreed(noised(100 + draws[3], 3, sd), bins)
        assert whole.value is not None
        off.append((whole.value - 100) ** 2)
        low, high = parts[0].interval
        covered += low <= 20 <= high
    assert math.isclose(math.sqrt(np.mean(off)), whole.sd, rel_tol=0.06)
    assert whole.sd < sd
    assert parts[0].sd < sd
    assert 0.94 < covered / 2000 < 0.96


def test_counts_of_other_rows_are_left_alone() -> None:
    query = compile_query(SQL.replace("count(size)", "count(*)"), made_up(), epsilon=Decimal(1))
    plan = compile_plan(query, made_up())
    table = read(query, plan, [100, 20, 30, 40, 50], 1, made_up())
    [first, *_] = table.rows
    assert isinstance(first[0], Estimate)
    assert first[0].value == 100


def test_a_count_that_agrees_with_its_bins_is_still_the_count_of_a_rate() -> None:
    """24 of the agreed count, not of the noised one."""
    query = compile_query(
        SQL.replace(" FROM", ", count(size) FILTER (WHERE flag) / n AS r FROM"), made_up(), epsilon=Decimal(20)
    )
    plan = compile_plan(query, made_up())
    merged = {block.offset: value for block, value in zip(plan.blocks, (100, 0, 24), strict=True)}
    bins = plan.blocks[1].offset
    merged |= {bins + place: value for place, value in enumerate((20, 30, 40, 50))}
    first, *_ = read(query, plan, [merged[place] for place in range(plan.length)], 1, made_up()).rows
    count, rate = first[0], first[-1]
    assert isinstance(count, Estimate)
    assert isinstance(rate, Estimate)
    assert count.value is not None
    assert 100 < count.value < 140
    assert rate.value == 24 / count.value
    assert rate.combined is not None

"""What runs on the merged, noised table is total: whatever the noise, it gives a table, and the model comes back.

The vectors here hold what noise and merging can make at worst: zeros, negatives, and integers beyond 2^62.
"""

from __future__ import annotations

import math
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.factories.catalogues import made_up
from tests.property.budgets import examples
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.outputs import PROFILES, Estimate, KeyCell, Table, read
from trustquery.planning import compile_plan

LEAVES = [
    *("n", "people", "mean", "spread", "middle", "0", "1", "-2.5", "1e15", "kind", "NULL"),
]
WORST = [0, 1, -1, 3, -7, 250, 10_000, -10_000, 2**53, 2**63, -(2**64), 200 * 2**62]


@st.composite
def numbers(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0:
        return draw(st.sampled_from(LEAVES))
    one, two, three = (draw(numbers(depth - 1)) for _ in range(3))
    form = draw(
        st.sampled_from(
            [
                *(f"({one} {operator} {two})" for operator in "+-*/"),
                *(f"(- {one})", f"abs({one})", f"sqrt({one})", f"round({one}, {draw(st.integers(-12, 12))})"),
                *(f"clamp({one}, 0, 10)", f"clamp({one}, {two}, {three})", f"greatest({one}, {two})"),
                *(f"least({one}, {two}, {three})", f"nullif({one}, {two})", f"coalesce({one}, {two}, 0)"),
                f"CASE WHEN {draw(conditions(depth - 1))} THEN {one} ELSE {two} END",
            ]
        )
    )
    # NULL alone has no type, so that a choice between NULLs is refused.
    return form.replace(" NULL", " 0").replace("(NULL", "(0").replace("IS 0", "IS NULL")


@st.composite
def conditions(draw: st.DrawFn, depth: int = 1) -> str:
    one, two = draw(numbers(depth)), draw(numbers(depth))
    operator = draw(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]))
    plain = f"({one} {operator} {two})"
    return draw(
        st.sampled_from(
            [plain, f"(NOT {plain})", f"({one} IS NULL)", f"({plain} AND {one} IN (0, 1))", f"({plain} OR sex = 'F')"]
        )
    )


def every_cell_is_sound(table: Table) -> None:
    for row in table.rows:
        for column, cell in zip(table.columns, row, strict=True):
            assert isinstance(cell, KeyCell if column.kind == "key" else Estimate)
            if isinstance(cell, Estimate) and cell.value is not None:
                assert cell.low is not None
                assert cell.high is not None
                assert math.isfinite(cell.value)
                slack = 1e-9 * max(abs(cell.value), abs(cell.low), abs(cell.high))
                assert cell.low - slack <= cell.value <= cell.high + slack
            if isinstance(cell, Estimate) and cell.combined is not None:
                assert column.rate
                assert cell.low is not None
                assert cell.high is not None
                least, most = cell.combined
                slack = 1e-9 * max(abs(least), abs(most))
                assert least - slack <= cell.low
                assert cell.high <= most + slack
    assert table.to_arrow().num_rows == len(table.rows)


INNER = (
    "SELECT sex, band(born, 5, 9) AS band, count(*) AS n, count(DISTINCT pid) AS people, "
    "avg(score) AS mean, stddev(score) AS spread, median(score) AS middle FROM person GROUP BY sex, band"
)


@examples(ci=80, full=5_000)
@given(data=st.data())
def test_any_arithmetic_gives_a_table(data: st.DataObject) -> None:
    number, condition, order = data.draw(numbers()), data.draw(conditions()), data.draw(numbers(2))
    inner = f"SELECT *, CASE WHEN sex = 'F' THEN 1 ELSE 2 END AS kind FROM ({INNER}) r"
    sql = f"SELECT sex, {number} AS x FROM ({inner}) s WHERE {condition} ORDER BY {order} DESC, sex LIMIT 40"
    if data.draw(st.booleans()):
        sql = (
            f"SELECT sex, sum({number}) AS x, avg({number}) AS y, max({number}) - min({number}) AS z, count(*) AS c "
            f"FROM ({inner}) s LEFT JOIN esp2013 w ON w.age_band = s.band WHERE {condition} "
            f"GROUP BY sex HAVING c > 0 ORDER BY x NULLS FIRST"
        )
    query = compile_query(sql, made_up(), epsilon=Decimal(1))
    assert Query.from_payload(query.payload()) == query
    plan = compile_plan(query, made_up())
    few = data.draw(st.lists(st.sampled_from(WORST), min_size=1, max_size=30))
    merged = [few[place % len(few)] for place in range(plan.length)]
    every_cell_is_sound(read(query, plan, merged, data.draw(st.sampled_from([1, 200])), made_up()))


@examples(ci=80, full=5_000)
@given(data=st.data())
def test_under_a_profile_no_arithmetic_tells_one_suppressed_count_from_another(data: st.DataObject) -> None:
    profile = PROFILES[data.draw(st.sampled_from([name for name in PROFILES if name != "none"]))]
    number, condition, order = data.draw(numbers()), data.draw(conditions()), data.draw(numbers(2))
    inner = f"SELECT *, CASE WHEN sex = 'F' THEN 1 ELSE 2 END AS kind FROM ({INNER}) r"
    sql = f"SELECT sex, {number} AS x FROM ({inner}) s WHERE {condition} ORDER BY {order} DESC, sex LIMIT 40"
    if data.draw(st.booleans()):
        sums = f"sum({number}) AS x, max({number}) AS y, count(*) AS c"
        sql = f"SELECT sex, {sums} FROM ({inner}) s GROUP BY sex ORDER BY y"
    query = compile_query(sql, made_up(), epsilon=Decimal(1))
    plan = compile_plan(query, made_up())
    few = data.draw(st.lists(st.sampled_from([*WORST, 8, 9, 11, 12, 40]), min_size=1, max_size=30))
    merged = [few[place % len(few)] for place in range(plan.length)]
    other = list(merged)
    for block in plan.blocks:
        for place in range(block.offset, block.offset + block.length if block.kind.startswith("count") else 0):
            if merged[place] < profile.minimum_released_count:
                other[place] = data.draw(st.integers(-(2**64), profile.minimum_released_count - 1))
    one, two = (read(query, plan, vector, 3, made_up(), profile=profile) for vector in (merged, other))
    assert one.document() == two.document()
    every_cell_is_sound(one)

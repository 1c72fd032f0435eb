"""How each statistic of a plan is computed: the routes, and the SQL of each.

``plain``: one GROUP BY over all rows, where no bound can cut anything. ``streamed``: rows as columns of whole numbers,
some people after others, bounded and added up by ``kernel``. Where each row of the query comes from one row of a scan,
a person with few rows there can take the plain way and only the others are streamed: ``few`` says how few
(formats.md, "Selection": a person with few rows needs no work where no step adds rows). Where moreover all rows of a
person add the same, the plain way takes the first of everybody's, by the stored rank. ``ranked``: bounded in SQL
(``blocks``), for what is too large for a kernel's integers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from node_agent.engines import costs
from node_agent.engines.job import ABSENT, MOST_ADDED, Bounded, Mapped
from node_agent.engines.mapped import mapped
from node_agent.engines.relation_sql import Marked, is_alone
from node_agent.engines.rows import join_lookups, keys_select, rows_select
from node_agent.engines.sql import COUNT, DIALECT, ORDER, PERSON, H, U, cell_of, fill, is_stored, number
from trustquery.model.multiplicity import all_or_none, most_rows, one_by_one, same_for_all_rows
from trustquery.model.nodes import references
from trustquery.model.query import Query
from trustquery.model.relations import Derived, Filter, PerPerson, Relation, Scan, UnionAll, Windows, relations, ties
from trustquery.model.scope import Tables
from trustquery.planning.plan import Block, Plan

__all__ = ["Routes", "Way", "routes"]

Way = Literal["cheapest", "by-value", "by-row", "in-sql"]
Limit = tuple[str, int]
"""What counts the plain way: rows where ``_n`` or ``_r`` is at most so much."""
PART, PART_JOINED = 320_000, 1_280_000
"""Rows of one part of the people: what a processor's own memory holds. A join costs something each time it begins."""
FEWEST = 2
"""People with at most so few rows are not worth a way of their own."""


@dataclass(frozen=True)
class Routes:
    """What an engine's process does for one query.

    Attributes:
        plain: statements that give the sums of what no bound can cut, one row a place.
        stream: statement that gives, row by row, person, parts of the rank, cell, and what each of ``bounded`` adds.
        parts: how many parts the rank has.
        bounded: by block, what the stream's columns are bounded with.
        ranked: blocks that are bounded in SQL.
        mapped: how to compute all of it by value, where that can be.
        reads: by name in SQL, the columns that are read of each table about people.
        apart: whether plain statements too are run on some people after others: they hold something of each person,
            such as the other side of a join.
        part_rows: rows in one part of the people.
        forecasts: where both are possible, what computing by value is forecast to cost, and by row (``costs``).
    """

    plain: tuple[str, ...]
    stream: str | None
    parts: int
    bounded: dict[int, Bounded]
    ranked: tuple[int, ...]
    mapped: Mapped | None
    reads: dict[str, tuple[str, ...]]
    apart: bool
    part_rows: int
    forecasts: tuple[float, float] | None


def routes(query: Query, plan: Plan, tables: Tables, way: Way = "cheapest") -> Routes:
    """Pick a route for each block: from the model, the catalogue and the plan alone.

    Args:
        way: the cheapest by forecast (``costs``), or one that is taken wherever it can be: by value, by row, or all
            bounded in SQL, as an engine without a kernel does.
    """
    most = most_rows(query.relation, tables)
    source = one_by_one(query.relation, tables)
    steady = same_for_all_rows(query.relation, tables)
    one_cell = references(key.expression for key in query.keys) <= steady
    dear = any(isinstance(node, Windows | PerPerson | UnionAll) for node in relations(query.relation))
    joined = sum(tables.open(scan.table) is None for scan in query.scans) > 1
    if dear:
        # What is dear to compute is computed once.
        source = None
    alike = source is not None and one_cell and all_or_none(query.relation, tables)
    few, limits = dict[int, int](), dict[int, Limit | None]()
    for place, block in enumerate(plan.blocks):
        aggregate = query.aggregates[block.statistic]
        of_rows = [part for part in (aggregate.argument, aggregate.filter) if part is not None]
        if alike and block.bound.form == "rows" and not block.threshold and references(of_rows) <= steady:
            # All rows of a person add the same to the same cell, so that it does not matter which are kept.
            limits[place] = (ORDER, block.bound.rows)
            continue
        at_most = _few(block, most, source is not None, one_cell, plan)
        if at_most != 0:
            limits[place] = (COUNT, at_most) if at_most is not None else None
        if at_most is not None:
            few[place] = at_most
    ranked = tuple(
        place
        for place, block in enumerate(plan.blocks)
        if way == "in-sql" or (few.get(place) == 0 and _too_large(block, most))
    )
    bounded = {place: _bounded(plan.blocks[place], at) for place, at in few.items() if place not in ranked}
    limits = {place: limit for place, limit in limits.items() if place not in ranked}
    by_value = None if ranked or way in ("by-row", "in-sql") else mapped(query, tables)
    forecasts = None
    if by_value is not None:
        share = max((costs.share_above(_scanned(query.relation), at, tables) for at in few.values()), default=0.0)
        forecasts = costs.by_value(query, plan, by_value), costs.by_row(query, plan, share)
        if way == "cheapest" and forecasts[0] > forecasts[1]:
            by_value = None
    if by_value is not None:
        bounds, statistics = tuple(map(_bounded, plan.blocks)), tuple(block.statistic for block in plan.blocks)
        by_value = dataclasses.replace(by_value, bounded=bounds, statistics=statistics)
    least = min((bound.few for bound in bounded.values()), default=0)
    marked = Marked(source, (COUNT,), least) if source is not None and any(few.values()) else None
    rows = rows_select(query, tables, marked, binned=False)
    plain = _plain(query, plan, tables, source, limits)
    return Routes(
        plain=tuple(item.sql(DIALECT) for item in plain),
        stream=_stream(rows, query, plan, bounded) if bounded else None,
        parts=len(_ranks(query)),
        bounded=bounded,
        ranked=ranked,
        mapped=by_value,
        reads=_reads([*plain, *([rows] if bounded or ranked else [])]),
        apart=dear or joined,
        part_rows=PART_JOINED if joined and not dear else PART,
        forecasts=forecasts,
    )


def _bounded(block: Block, few: int = 0) -> Bounded:
    bound, bins = block.bound, block.bins
    cuts = tuple(map(float, bins.cuts)) if bins is not None else ()
    span = block.span if bins is not None else 0
    return Bounded(bound.form, bound.groups, bound.rows, bound.total, bound.extra_bits, span, block.length, few, cuts)


def _scanned(node: Relation) -> str:
    """The table of a relation that is computed by value."""
    while isinstance(node, Filter | Derived):
        node = node.source
    return node.table if isinstance(node, Scan) else ""


def _reads(statements: Iterable[exp.Expr]) -> dict[str, tuple[str, ...]]:
    """The columns that scans name: each is a SELECT of plain columns from one prepared table."""
    found: dict[str, set[str]] = {}
    for table in (table for statement in statements for table in statement.find_all(exp.Table)):
        scan = table.find_ancestor(exp.Select)
        if scan is not None and is_stored(table.name):
            names = {column.name for column in scan.find_all(exp.Column)}
            found[table.name] = found.get(table.name, set()) | names
    return {name: tuple(sorted(names)) for name, names in sorted(found.items())}


def _few(block: Block, most: int, one_by_one: bool, one_cell: bool, plan: Plan) -> int | None:
    """People with at most so many rows take the plain way: None for all of them, 0 for nobody."""
    if block.threshold:
        return 0
    # So many rows can be neither too many nor, in the forms on totals, too large.
    few = block.bound.rows if block.bound.form == "rows" else block.bound.total // _largest(block)
    if block.bound.form != "l1" and not one_cell and block.bound.groups < plan.cells:
        few = min(few, block.bound.groups)
    if most <= few:
        return None
    return few if one_by_one and few >= FEWEST else 0


def _largest(block: Block) -> int:
    """The most that one row adds, extra fraction bits and all."""
    return max(abs(block.lo), abs(block.hi), 1)


def _too_large(block: Block, most: int) -> bool:
    """Whether one person's total may not fit the kernel's integers."""
    return block.bound.form != "rows" and most * _largest(block) > MOST_ADDED


def _names(*names: str) -> list[exp.Expr]:
    return [exp.column(name, quoted=True) for name in names]


def _value(block: Block) -> exp.Expr:
    return exp.column(f"_a{block.statistic}", quoted=True)


def _plain(
    query: Query, plan: Plan, tables: Tables, source: str | None, blocks: dict[int, Limit | None]
) -> list[exp.Select]:
    """The sums of those whom no bound cuts, in two halves (``kernel.Sums``): one statement, and one a histogram."""
    found, together, limits = [], dict[str, exp.Expr](), dict[str, Limit | None]()
    for place, limit in blocks.items():
        block = plan.blocks[place]
        value = _value(block)
        if block.bins is not None:
            sums = {f"_low{place}": fill("count(*)")}
            found.append(_by_value(query, tables, source, sums, {f"_low{place}": limit}, value))
            continue
        if block.bound.extra_bits:
            # Rows add integers without the form's extra fraction bits.
            value = fill(":0 * :1", value, number(1 << block.bound.extra_bits))
        if block.kind != "sum" and not block.bound.extra_bits:
            sums = {f"_low{place}": fill("count(:0)", value)}
        elif _largest(block) < 2**31:
            # A sum over fewer than 2^31 rows fits 63 bits.
            sums = {f"_low{place}": fill("sum(:0)", exp.cast(value, "INTEGER", dialect=DIALECT))}
        else:
            sums = {
                f"_high{place}": fill("sum(:0 >> 31)", value),
                f"_low{place}": fill("sum(:0 & 2147483647)", value),
            }
        together |= sums
        limits |= dict.fromkeys(sums, limit)
    return [*found, _by_value(query, tables, source, together, limits)] if together else found


def _by_value(
    query: Query,
    tables: Tables,
    source: str | None,
    sums: dict[str, exp.Expr],
    limits: dict[str, Limit | None],
    value: exp.Expr | None = None,
) -> exp.Select:
    """Sums by the keys' values, and then by place.

    Args:
        limits: rows beyond it do not count for a sum; None for no limit.
        value: of a histogram, each row's value, which the sums are by as well (``_v``).
    """
    same = len(set(limits.values())) == 1
    marks = tuple(sorted({limit[0] for limit in limits.values() if limit is not None}))
    rows = keys_select(query, tables, Marked(source, marks) if source is not None and marks else None)
    items = {name: item if same else _of_few(item, limits[name]) for name, item in sums.items()}
    keys = _names(*(f"_key{place}" for place in range(len(query.keys))))
    groups = [*keys, *([exp.alias_(value, "_v", quoted=True)] if value is not None else [])]
    inner = exp.select(*groups, *(exp.alias_(item, name, quoted=True) for name, item in items.items()))
    inner = inner.from_(rows.subquery("_rows", copy=False))
    [limit] = set(limits.values()) if same else [None]
    if limit is not None:
        inner = inner.where(_within(limit))
    if value is not None:
        inner = inner.where(fill(":0 IS NOT NULL", value))
    inner = inner.group_by(*(exp.Literal.number(str(place + 1)) for place in range(len(groups))))
    cell, lookups = cell_of(query.keys, keys)
    totals = [_as(name, "CAST(COALESCE(sum(:0), 0) AS BIGINT)", *_names(name)) for name in sums]
    places = [exp.alias_(exp.cast(cell, "BIGINT", dialect=DIALECT), "_c", quoted=True)]
    places += _names("_v") if value is not None else []
    outer = join_lookups(exp.select(*places, *totals).from_(inner.subquery("_sums", copy=False)), lookups)
    return outer.group_by(*(exp.Literal.number(str(place + 1)) for place in range(len(places))))


def _of_few(item: exp.Expr, limit: Limit | None) -> exp.Expr:
    return exp.Filter(this=item, expression=exp.Where(this=_within(limit))) if limit is not None else item


def _within(limit: Limit) -> exp.Expr:
    return fill(":0 <= :1", *_names(limit[0]), number(limit[1]))


def _as(name: str, text: str, *parts: exp.Expr) -> exp.Expr:
    return exp.alias_(fill(text, *parts), name, quoted=True)


def _stream(rows: exp.Select, query: Query, plan: Plan, bounded: dict[int, Bounded]) -> str:
    """The rows of those whom a bound may cut."""
    limits = {bound.few for bound in bounded.values()}
    values = []
    for place, bound in bounded.items():
        value = _value(plan.blocks[place])
        if bound.few and len(limits) > 1:
            value = fill("CASE WHEN :0 > :1 THEN :2 ELSE NULL END", *_names(COUNT), number(bound.few), value)
        values.append((value, bound))
    cell = _names("_c")[0]
    items = [
        _as("_p", "CAST(:0 AS INTEGER)", *_names(PERSON)),
        cell if plan.has_unknown_keys else _as("_c", "CAST(:0 AS INTEGER)", cell),
        *(_as(f"_k{at}", "CAST(:0 AS BIGINT)", item) for at, item in enumerate(_ranks(query))),
        *(_added(f"_a{at}", value, bound) for at, (value, bound) in enumerate(values)),
    ]
    select = exp.select(*items).from_(rows.subquery("_rows", copy=True))
    if min(limits):
        select = select.where(fill(":0 > :1", *_names(COUNT), number(min(limits))))
    some = [fill(":0 IS NOT NULL", _value(plan.blocks[place])) for place in bounded]
    return select.where(exp.or_(*some, copy=False)).sql(DIALECT)


def _added(name: str, value: exp.Expr, bound: Bounded) -> exp.Expr:
    if bound.span:
        return _as(name, "COALESCE(:0, CAST('nan' AS DOUBLE))", value)
    return _as(name, "COALESCE(CAST(:0 AS BIGINT), :1)", value, number(ABSENT))


def _ranks(query: Query) -> list[exp.Expr]:
    """The parts of the rank, as few as may be."""
    count = ties(query.relation)
    if is_alone(query.relation) or not count:
        return _names(U)
    # u has 31 bits, h at most 32.
    first = fill("CAST(:0 AS BIGINT) * 4294967296 + :1", *_names(U, f"{H}0"))
    return [first, *_names(*(f"{H}{at}" for at in range(1, count)))]

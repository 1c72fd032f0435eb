"""One statement a block: one person's part in each cell is bounded, and then summed up over people.

Nothing comes between bounding and the sum (privacy-rules.md section 1). Which rows are kept is the rank's choice
(formats.md, "Selection"), never the table's.
"""

from __future__ import annotations

import itertools

from sqlglot import exp

from node_agent.engines.sql import CELL_LIMIT, DIALECT, ROWS, H, U, fill, number
from trustquery.model.query import Query
from trustquery.model.relations import ties
from trustquery.model.unknown import MAX_UNKNOWN_KEYS
from trustquery.planning.plan import Block, Plan

__all__ = ["block_queries", "grow"]


def block_queries(query: Query, plan: Plan) -> list[str]:
    """One statement a block over ``_rows``; each gives (place, integer) for the cells, or bins of cells, with rows.

    A place is its position (of a histogram cell·span + bin; ``grow`` fills in the rest of a tree), or the
    cell's label where keys are found in the data.
    """
    ranks = [U, *(f"{H}{place}" for place in range(ties(query.relation)))]
    forms = {"rows": _by_rows, "total": _by_total, "l1": _by_l1}
    found = [_sums(forms[block.bound.form](block, ranks, plan.cells), block) for block in plan.blocks]
    if plan.has_unknown_keys:
        # One more than may be released, so that too many are noticed without being read.
        found = [block.limit(MAX_UNKNOWN_KEYS + 1) for block in found]
    return [block.sql(DIALECT) for block in found]


def _names(*names: str) -> list[exp.Expr]:
    return [exp.column(name, quoted=True) for name in names]


def _as(name: str, text: str, *parts: exp.Expr) -> exp.Expr:
    return exp.alias_(fill(text, *parts), name, quoted=True)


def _numbered(partition: list[str], order: list[str], name: str) -> exp.Expr:
    window = exp.Window(
        this=exp.RowNumber(),
        partition_by=_names(*partition),
        order=exp.Order(expressions=[exp.Ordered(this=item, nulls_first=True) for item in _names(*order)]),
    )
    return exp.alias_(window, name, quoted=True)


def _in_group(block: Block, ranks: list[str]) -> exp.Select:
    """Eligible rows (``_eligible``), each with its number by rank within person and cell (``_in_group``)."""
    value = exp.column(f"_a{block.statistic}", quoted=True)
    eligible = exp.select(*_names("_p", "_c", *ranks), exp.alias_(value, "_v", quoted=True)).from_(exp.to_table(ROWS))
    eligible = eligible.where(fill(":0 IS NOT NULL", value))
    numbered = exp.select(*_names("_p", "_c", "_v", *ranks), _numbered(["_p", "_c"], ranks, "_n")).from_("_eligible")
    return exp.Select().with_("_eligible", as_=eligible).with_("_in_group", as_=numbered)


def _few_groups(query: exp.Select, source: str, block: Block, ranks: list[str], cells: int) -> tuple[exp.Select, str]:
    """Keep of ``source`` the G groups whose lowest row is lowest, ties by cell; where G is less than all."""
    if not block.threshold and block.bound.groups >= cells:
        return query, source
    heads = exp.select(*_names("_p", "_c"), _numbered(["_p"], [*ranks, "_c"], "_g")).from_("_in_group")
    query = query.with_("_heads", as_=heads.where(fill(":0 = 1", *_names("_n"))))
    kept = (
        exp.select(*_names("_p", "_c", "_v"))
        .from_(source)
        .join(
            exp.to_table("_heads"), using=[exp.to_identifier("_p", quoted=True), exp.to_identifier("_c", quoted=True)]
        )
        .where(fill(":0 <= :1", *_names("_g"), number(block.bound.groups)))
    )
    return query.with_("_few", as_=kept), "_few"


def _by_rows(block: Block, ranks: list[str], cells: int) -> exp.Select:
    """The R lowest rows of each (person, cell)."""
    kept = exp.select(*_names("_p", "_c", "_v")).from_("_in_group")
    kept = kept.where(fill(":0 <= :1", *_names("_n"), number(block.bound.rows)))
    query = _in_group(block, ranks).with_("_kept", as_=kept)
    query, source = _few_groups(query, "_kept", block, ranks, cells)
    return query.from_(source)


def _totals(query: exp.Select, source: str) -> exp.Select:
    """One row a person and cell with the total, within ±2^62."""
    total = _as("_v", f"greatest(least(sum(CAST(:0 AS HUGEINT)), {CELL_LIMIT}), -{CELL_LIMIT})", *_names("_v"))
    return query.with_(
        "_totals", as_=exp.select(*_names("_p", "_c"), total).from_(source).group_by(*_names("_p", "_c"))
    )


def _by_total(block: Block, ranks: list[str], cells: int) -> exp.Select:
    """The total of each (person, cell), clamped to ±C."""
    query, source = _few_groups(_in_group(block, ranks), "_in_group", block, ranks, cells)
    query = _totals(query, source)
    limit = number(block.bound.total)
    clamped = _as("_v", "greatest(least(:0, CAST(:1 AS HUGEINT)), -CAST(:1 AS HUGEINT))", *_names("_v"), limit)
    return query.with_("_kept", as_=exp.select(*_names("_p", "_c"), clamped).from_("_totals")).from_("_kept")


def _by_l1(block: Block, ranks: list[str], cells: int) -> exp.Select:
    """All totals of a person, scaled down together until their sizes add up to C.

    A total is below 2^72 with the form's fraction bits, and C below 2^53, so that their product fits 127 bits.
    """
    query = _totals(_in_group(block, ranks), "_in_group")
    finer = _as("_v", ":0 * CAST(:1 AS HUGEINT)", *_names("_v"), number(1 << block.bound.extra_bits))
    query = query.with_("_finer", as_=exp.select(*_names("_p", "_c"), finer).from_("_totals"))
    size = _as("_size", "sum(abs(:0)) OVER (PARTITION BY :1)", *_names("_v", "_p"))
    query = query.with_("_sized", as_=exp.select(*_names("_p", "_c", "_v"), size).from_("_finer"))
    scaled = _as(
        "_v",
        "CASE WHEN :1 > :2 THEN sign(:0) * (abs(:0) * CAST(:2 AS HUGEINT) // :1) ELSE :0 END",
        *_names("_v", "_size"),
        number(block.bound.total),
    )
    return query.with_("_kept", as_=exp.select(*_names("_p", "_c"), scaled).from_("_sized")).from_("_kept")


def _sums(bounded: exp.Select, block: Block) -> exp.Select:
    """The sum over people of each place, within ±2^62."""
    where, added = _names("_c", "_v")
    if block.bins is not None:
        # Each row is 1 in its bin; the bound knew nothing of bins.
        where = exp.cast(fill(":0 * :1 + :2", where, number(block.span), added), "BIGINT", dialect=DIALECT)
        added = exp.cast(number(1), "BIGINT", dialect=DIALECT)
    total = fill(
        "greatest(least(sum(CAST(:0 AS HUGEINT)), CAST(:1 AS HUGEINT)), CAST(:2 AS HUGEINT))",
        added,
        number(CELL_LIMIT),
        number(-CELL_LIMIT),
    )
    return bounded.select(
        exp.alias_(where, "_c", quoted=True),
        exp.alias_(exp.cast(total, "BIGINT", dialect=DIALECT), "_s", quoted=True),
    ).group_by(where.copy())


def grow(vector: list[int], block: Block) -> None:
    """Fill in the higher nodes of each cell's tree, in place: sums of what is below."""
    for cell in range(block.offset, block.offset + block.length, block.span):
        below = cell
        for width, above in itertools.pairwise(block.levels):
            for node in range(above):
                first = below + node * block.branching
                total = sum(vector[first : min(first + block.branching, below + width)])
                vector[below + width + node] = max(-CELL_LIMIT, min(CELL_LIMIT, total))
            below += width

"""How the blocks of a merged vector are read as columns.

Intervals are 95 % and cover the noise only. A merged count over k trusts carries k independent discrete Gaussians,
so its variance is k·sigma²; sigma here is large enough that the normal quantile serves (Canonne, Kamath and Steinke
2020, section 3: the discrete Gaussian's tails are no heavier). A ratio's interval is Fieller's (Fieller 1954, "Some
Problems in Interval Estimation"), which stays honest when the denominator is small.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trustquery.catalogue.schema import Catalogue, ColumnType
from trustquery.codelists import PublicTables
from trustquery.errors import TrustQueryError
from trustquery.model.nodes import ColumnRef, Key
from trustquery.model.query import Query
from trustquery.model.scope import Tables, rows_of
from trustquery.model.unknown import read_label
from trustquery.outputs.table import Column, Estimate, KeyCell, Table
from trustquery.outputs.trusts import shown
from trustquery.planning.plan import Block, Plan, PlanOutput

__all__ = ["Z95", "read", "read_keys"]

Z95 = 1.959963984540054


def read(
    query: Query,
    plan: Plan,
    merged: Sequence[int],
    trusts: int,
    catalogue: Catalogue,
    answered: Collection[str] | None = None,
) -> Table:
    """Turn a merged vector into a table.

    Args:
        query: for the labels of keys.
        merged: ``plan.length`` integers, the sum over the trusts that answered.
        trusts: how many that were, ≥ 1.
        catalogue: for labels.
        answered: names of the trusts that answered, for a table by trust: the others have no rows.

    Returns:
        One row a cell, first key slowest, in the plan's order.

    Raises:
        TrustQueryError: ``internal-fault`` when the vector does not fit the plan.
    """
    if len(merged) != plan.length or trusts < 1:
        raise TrustQueryError("internal-fault", incident="merged-shape")
    labels = [_labels(key, query, catalogue) for key in query.keys]
    columns = tuple(_column(output, plan) for output in plan.outputs)
    positions = itertools.product(*(range(axis.cells) for axis in plan.axes))
    rows = tuple(
        tuple(
            _key_cell(plan, labels, output.read["key"], place)
            if "key" in output.read
            else _estimate(output.read, plan, merged, trusts, cell)
            for output in plan.outputs
        )
        for cell, place in enumerate(positions)
        if shown(plan.axes, place, answered)
    )
    return Table(columns, rows)


def read_keys(plan: Plan, merged: Mapping[str, tuple[int, int]]) -> Table:
    """Turn the merged counts of a thresholded release into a table.

    Args:
        merged: label of a key to its sum and the number of trusts that released it, ≥ 1.

    Returns:
        One row a key that any trust released, by value; *other* and *missing* last. A trust that did not release a key
        may hold some of it: every estimate has the caveat ``unknown-keys-thresholded``.

    Raises:
        TrustQueryError: ``query-model-invalid``: a label that is none of this key's.
    """
    [axis] = plan.axes
    found = [(read_label(label, ColumnType(axis.type)), *merged[label]) for label in sorted(merged)]
    if axis.type == ColumnType.INTEGER:
        found.sort(key=lambda item: (item[0][0] != "value", item[0][1] or 0))
    columns = tuple(
        column if column.kind == "key" else replace(column, caveats=(*column.caveats, "unknown-keys-thresholded"))
        for column in (_column(output, plan) for output in plan.outputs)
    )
    rows = tuple(
        tuple(
            KeyCell(*key) if "key" in output.read else _estimate(output.read, plan, [total], trusts, 0)
            for output in plan.outputs
        )
        for key, total, trusts in found
    )
    return Table(columns, rows)


def _labels(key: Key, query: Query, catalogue: Catalogue) -> dict[Any, str]:
    """Words for the values of a key that is a plain coded column."""
    if not isinstance(key.expression, ColumnRef):
        return {}
    # Words are the catalogue's: a public table has none, so that any table at hand will do here.
    rows = rows_of(query.relation, Tables(catalogue, PublicTables()), lambda *_, **__: None)
    shape = rows.scope.get(key.expression.alias)
    column = shape.column(key.expression.column) if shape else None
    return {item.value: item.label for item in column.domain} if column else {}


def _key_cell(plan: Plan, labels: list[dict[Any, str]], axis_place: int, place: tuple[int, ...]) -> KeyCell:
    axis = plan.axes[axis_place]
    position = place[axis_place]
    if position >= axis.other:
        return KeyCell("other" if position == axis.other else "missing")
    value = axis.values[position]
    return KeyCell("value", value, labels[axis_place].get(value, ""))


def _column(output: PlanOutput, plan: Plan) -> Column:
    if "key" in output.read:
        return Column(output.name, "key", plan.axes[output.read["key"]].type)
    caveats = ["noise-only-interval"]
    blocks = [plan.block(name) for name in _blocks_of(output.read)]
    if any(block.kind == "count_distinct_person" for block in blocks):
        caveats.append("person-counted-once-per-trust")
    caveats.append("contribution-bounded")
    return Column(output.name, "estimate", "number", tuple(caveats))


def _blocks_of(node: dict[str, Any]) -> list[str]:
    if "block" in node:
        return [node["block"]]
    return [name for argument in node["arguments"] for name in _blocks_of(argument)]


def _estimate(node: dict[str, Any], plan: Plan, merged: Sequence[int], trusts: int, cell: int) -> Estimate:
    if "block" in node:
        value, sigma = _figure(plan.block(node["block"]), merged, trusts, cell)
        return Estimate(value, value - Z95 * sigma, value + Z95 * sigma)
    top, bottom = (plan.block(argument["block"]) for argument in node["arguments"])
    return ratio(_figure(top, merged, trusts, cell), _figure(bottom, merged, trusts, cell))


def _figure(block: Block, merged: Sequence[int], trusts: int, cell: int) -> tuple[float, float]:
    """A cell's value and the standard deviation of its noise, in the statistic's own unit."""
    scale = 2.0**block.fraction_bits
    return merged[block.offset + cell] / scale, block.sigma_float * math.sqrt(trusts) / scale


def ratio(top: tuple[float, float], bottom: tuple[float, float]) -> Estimate:
    """A ratio of two independently noised figures, each (value, standard deviation), with Fieller's interval.

    Returns:
        An estimate without value and interval where the denominator cannot be told from zero at 95 %.
    """
    (s, sd_s), (n, sd_n) = top, bottom
    g = n * n - (Z95 * sd_n) ** 2
    if n <= 0 or g <= 0:
        return Estimate(None)
    root = math.sqrt(max((s * n) ** 2 - g * (s * s - (Z95 * sd_s) ** 2), 0.0))
    return Estimate(s / n, (s * n - root) / g, (s * n + root) / g)

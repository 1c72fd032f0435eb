"""How the blocks of a merged vector are read as columns.

Intervals are 95 % and cover the noise only. A merged count over k trusts carries k independent discrete Gaussians,
so its variance is at most k·sigma² (Canonne, Kamath and Steinke 2020, "The Discrete Gaussian for Differential Privacy",
corollary 9). What arithmetic makes of intervals is in ``figures``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trustquery.catalogue.schema import Catalogue, ColumnType
from trustquery.codelists import PublicTables, shipped
from trustquery.errors import TrustQueryError
from trustquery.model.facts import unreported
from trustquery.model.nodes import (
    AggregateRef,
    Bins,
    ColumnRef,
    FieldRef,
    Key,
    KeyRef,
    OutputCall,
    OutputExpression,
    invalid,
)
from trustquery.model.post import Field, check_post, fields_of_release, tidy_bins
from trustquery.model.query import Query
from trustquery.model.rates import Count, count_of
from trustquery.model.scope import Tables, rows_of
from trustquery.model.unknown import read_label
from trustquery.outputs import histograms, own_counts
from trustquery.outputs.consistent import agreed, counted_with
from trustquery.outputs.expressions import Cell, Value, evaluate, value_of_cell
from trustquery.outputs.figures import Z95, Figure, noised, suppressed
from trustquery.outputs.post import Rows, apply_tail, cell_of, run_stages
from trustquery.outputs.presenting import Presented
from trustquery.outputs.profiles import NONE, Profile
from trustquery.outputs.sampling import Part, Sample
from trustquery.outputs.table import Column, Estimate, KeyCell, Table
from trustquery.outputs.trees import tree
from trustquery.outputs.trusts import shown
from trustquery.planning.plan import Block, Plan

__all__ = ["Z95", "ratio", "read", "read_keys"]


def read(
    query: Query,
    plan: Plan,
    merged: Sequence[int],
    trusts: int,
    catalogue: Catalogue,
    public: PublicTables | None = None,
    answered: Collection[str] | None = None,
    *,
    profile: Profile = NONE,
) -> Table:
    """Turn a merged vector into a table, and do what the query asks of the table.

    Args:
        query: for the labels of keys, the outputs and what follows them.
        merged: ``plan.length`` integers, the sum over the trusts that answered.
        trusts: how many that were, ≥ 1.
        catalogue: for labels.
        public: tables that an outer SELECT joins; those that ship when None.
        answered: names of the trusts that answered, for a table by trust: the others have no rows.
        profile: how counts are shown; whatever follows the release is computed from what is shown.

    Returns:
        One row a cell (a bin of a cell, where a histogram is read bin by bin), first key slowest, in the plan's order,
        unless the query filters, sorts or sums them.

    Raises:
        TrustQueryError: ``internal-fault`` when the vector does not fit the plan; ``query-input-…`` when a public
            table is not the one that the model pins.
    """
    if len(merged) != plan.length or trusts < 1:
        raise TrustQueryError("internal-fault", incident="merged-shape")
    keys = [_key_cells(key, query, catalogue) for key in query.keys]
    release = _Release(query, plan, merged, keys, lambda _: trusts, profile)
    return _table(query, release, release.places(answered), public)


def read_keys(
    query: Query,
    plan: Plan,
    merged: Mapping[str, tuple[int, int]],
    public: PublicTables | None = None,
    *,
    profile: Profile = NONE,
) -> Table:
    """Turn the merged counts of a thresholded release into a table, and do what the query asks of the table.

    Args:
        query: for the outputs and what follows them.
        merged: label of a key to its sum and the number of trusts that released it, ≥ 1.
        public: tables that an outer SELECT joins; those that ship when None.
        profile: as for ``read``.

    Returns:
        One row a key that any trust released, by value, *other* and *missing* last, unless the query filters, sorts or
        sums them. A trust that did not release a key may hold some of it: every estimate has the caveat
        ``unknown-keys-thresholded``.

    Raises:
        TrustQueryError: ``query-model-invalid``: a label that is none of this key's; ``query-input-…``.
    """
    [axis] = plan.axes
    found = [(read_label(label, ColumnType(axis.type)), *merged[label]) for label in sorted(merged)]
    if axis.type == ColumnType.INTEGER:
        found.sort(key=lambda item: (item[0][0] != "value", item[0][1] or 0))
    keys = [[KeyCell(*key) for key, _, _ in found]]
    release = _Release(query, plan, [total for _, total, _ in found], keys, lambda cell: found[cell][2], profile)
    table = _table(query, release, release.places(), public)
    columns = (
        replace(column, caveats=(*column.caveats, "unknown-keys-thresholded")) if column.kind == "estimate" else column
        for column in table.columns
    )
    return Table(tuple(columns), table.rows, profile)


def _table(query: Query, release: _Release, places: list[_Place], public: PublicTables | None) -> Table:
    fields = fields_of_release(query.keys, query.aggregates, query.outputs)
    tail, nodes = query.post.tail, [output.expression for output in query.outputs]
    if release.profile.rounding > 1:
        tail, nodes = own_counts.of_tail(tail, query), [own_counts.of_node(node, query) for node in nodes]
    places = apply_tail(tail, places, release.look, release.cell)
    rows: Rows = [
        [release.column(place, node, field) for node, field in zip(nodes, fields, strict=True)] for place in places
    ]
    if query.post.stages:
        fields, rows = run_stages(query.post, fields, rows, public if public is not None else shipped())
    shown_rows = tuple(tuple(map(_shown, row, fields)) for row in rows)
    return Table(tuple(map(_column, fields)), shown_rows, release.profile)


_Place = tuple[int, int]
"""A row of the release: cell and bin (0 without)."""


class _Release:
    """The release's rows, before any outer SELECT."""

    def __init__(
        self,
        query: Query,
        plan: Plan,
        merged: Sequence[int],
        keys: list[list[KeyCell]],
        trusts: Callable[[int], int],
        profile: Profile,
    ) -> None:
        """``keys`` are the cells along each axis; ``trusts`` says how many draws of noise a cell has."""
        self.query, self.plan, self.merged, self.keys, self.trusts = query, plan, merged, keys, trusts
        self.profile = profile
        self._presented = Presented(query, plan, profile, self._released) if profile.withholds else None
        self.bins = tidy_bins(query.outputs, query.post.tail, query.aggregates)
        self._counts: list[Count | None] = [None] * len(query.aggregates)
        if any(field.sampled.rate for field in check_post(query.post, query.keys, query.aggregates, query.outputs)):
            self._counts = [count_of(aggregate) for aggregate in query.aggregates]
        self._strides = [math.prod(map(len, keys[place + 1 :])) for place in range(len(keys))]
        self._curve: tuple[Any, list[Figure], list[Figure]] = (None, [], [])
        self._pairs = self._counted()
        self._agreed: tuple[int, Figure | None, list[Figure]] = (-1, None, [])

    def places(self, answered: Collection[str] | None = None) -> list[_Place]:
        """All rows in the plan's order; for a table by trust those of the trusts that answered."""
        bins = range(self.bins.count if self.bins is not None else 1)
        cells = itertools.product(*(range(len(key)) for key in self.keys))
        kept = [cell for cell, place in enumerate(cells) if shown(self.plan.axes, place, answered)]
        return list(itertools.product(kept, bins))

    def look(self, place: _Place) -> Callable[[KeyRef | AggregateRef | FieldRef | OutputCall], Value]:
        """What references mean in one row."""
        return lambda node: value_of_cell(self._read(place, node, alone=False))

    def cell(self, place: _Place, node: OutputExpression) -> Cell:
        """An expression's cell in one row, to sort by."""
        if isinstance(node, KeyRef | AggregateRef) or (isinstance(node, OutputCall) and node.function == "bin"):
            return self._read(place, node, alone=True)
        value = evaluate(node, self.look(place))
        if value is None or isinstance(value, Figure):
            return value
        return KeyCell("value", value) if isinstance(value, bool | int | str) else KeyCell("other")

    def column(self, place: _Place, node: OutputExpression, field: Field) -> Cell:
        """An output's cell in one row."""
        if isinstance(node, KeyRef | AggregateRef) or (
            isinstance(node, OutputCall) and node.function in ("bin", "quantile", "bin_count")
        ):
            return self._read(place, node, alone=True)
        return cell_of(evaluate(node, self.look(place)), field)

    def _read(self, place: _Place, node: KeyRef | AggregateRef | FieldRef | OutputCall, *, alone: bool) -> Cell:
        cell, bin_place = place
        if isinstance(node, KeyRef):
            return self.keys[node.key][cell // self._strides[node.key] % len(self.keys[node.key])]
        if isinstance(node, AggregateRef):
            place_of, own = divmod(node.aggregate, len(self.plan.blocks))[::-1]
            if own and self._presented is not None:
                return self._presented.own_count(self.plan.blocks[place_of], cell)
            return self._figure(self.plan.blocks[node.aggregate], cell)
        if isinstance(node, FieldRef):
            raise invalid()
        blocks = [self.plan.blocks[part.aggregate] for part in node.arguments if isinstance(part, AggregateRef)]
        if node.function == "bin" and self.bins is not None:
            return histograms.bin_cell(self.bins, bin_place)
        if node.function == "bin_count":
            return self._figure(blocks[0], cell, bin_place)
        if node.function == "quantile":
            return self._quantile(blocks[0], cell, node, alone)
        name = (cell, node.arguments)
        if self._curve[0] != name:  # rows of one cell follow one another
            events, censored = ([self._released(block, cell, b) for b in range(block.width)] for block in blocks)
            risks = histograms.at_risk(events, censored)
            self._curve = (name, risks, histograms.survival(events, risks))
            if self._presented is not None:
                self._curve = (name, *self._presented.curve((cell, node.arguments), *self._curve[1:], events, censored))
        return self._curve[1 if node.function == "at_risk" else 2][bin_place]

    def _counted(self) -> tuple[Block, Block] | None:
        """The histogram whose bins are rows, and the count of the same rows, where there is one."""
        for output in self.query.outputs:
            node = output.expression
            if isinstance(node, OutputCall) and node.function == "bin_count":
                [place] = [part.aggregate for part in node.arguments if isinstance(part, AggregateRef)]
                count = counted_with(self.query, self.plan, self.plan.blocks[place])
                return None if count is None else (self.plan.blocks[place], count)
        return None

    def _figure(self, block: Block, cell: int, bin_place: int = 0) -> Figure:
        """A cell's value as the profile shows it: what everything after release reads."""
        if self._presented is not None:
            return self._presented.figure(block, cell, bin_place)
        return self._released(block, cell, bin_place)

    def _released(self, block: Block, cell: int, bin_place: int = 0) -> Figure:
        """A cell's value in the statistic's own unit, agreed with other figures where they must add up."""
        if self._pairs is None or block not in self._pairs:
            return self._drawn(block, cell, bin_place)
        histogram, count = self._pairs
        if self._agreed[0] != cell:  # rows of one cell follow one another
            bins = [self._drawn(histogram, cell, place) for place in range(histogram.width)]
            both, parts = agreed(self._drawn(count, cell), bins)
            self._agreed = (cell, replace(both, sample=self._sample(count, cell, both.value)), parts)
        _, whole, parts = self._agreed
        return whole if block is count and whole is not None else parts[bin_place]

    def _drawn(self, block: Block, cell: int, bin_place: int = 0) -> Figure:
        """A cell's value in the statistic's own unit, with its own draw of noise."""
        position = block.offset + cell * block.span + bin_place
        value = self.merged[position] / 2**block.fraction_bits
        sample = self._sample(block, cell, value)
        figure = noised(value, position, self._sd(block, cell), counted=block.kind != "sum", sample=sample)
        return replace(figure, step=1 / 2**block.fraction_bits)

    def _sample(self, block: Block, cell: int, value: float | None) -> Sample | None:
        """What is counted, where rates are asked for."""
        count = self._counts[block.statistic]
        if count is None or value is None:
            return None
        return (Part(frozenset((cell,)), block.statistic, 1.0, value, count=count),)

    def _sd(self, block: Block, cell: int) -> float:
        return block.sigma_float * math.sqrt(self.trusts(cell)) / 2.0**block.fraction_bits

    def _quantile(self, block: Block, cell: int, node: OutputCall, alone: bool) -> Figure:
        bins: Bins | None = block.bins
        if bins is None:
            raise invalid()
        first = block.offset + cell * block.span
        positions = range(first, first + block.span)
        counts = [float(self.merged[position]) for position in positions]
        if not self.profile.shows(sum(tree(bins.count, block.branching).consistent(counts))):
            return suppressed("rests-on-small-count")
        share = float(str(getattr(node.arguments[1], "value", 0)))
        # A column of its own needs no more than its interval; what is computed from a quantile needs its noise.
        draws = () if alone else positions
        return histograms.quantile(bins, counts, self._sd(block, cell), share, draws, block.branching)


def _key_cells(key: Key, query: Query, catalogue: Catalogue) -> list[KeyCell]:
    """A key's values in order, then *other* and *missing*. Text sorts by the list, other values by themselves."""
    labels = _labels(key, query, catalogue)
    listed = key.type is ColumnType.TEXT
    cells = [
        KeyCell("value", value, labels.get(value, ""), order=place if listed else None)
        for place, value in enumerate(key.values)
    ]
    return [*cells, KeyCell("other"), KeyCell("missing")]


def _labels(key: Key, query: Query, catalogue: Catalogue) -> dict[Any, str]:
    """Words for the values of a key that is a plain coded column."""
    if not isinstance(key.expression, ColumnRef):
        return {}
    # Words are the catalogue's: a public table has none, so that any table at hand will do here.
    rows = rows_of(query.relation, Tables(catalogue, PublicTables()), unreported)
    shape = rows.scope.get(key.expression.alias)
    column = shape.column(key.expression.column) if shape else None
    return {item.value: item.label for item in column.domain} if column else {}


def _column(found: Field) -> Column:
    if found.key:
        return Column(found.name, "key", str(found.type))
    caveats: list[str] = []
    rate = found.sampled.rate
    if found.noised:
        caveats.append("noise-only-interval")
        if found.people:
            caveats.append("person-counted-once-per-trust")
        caveats.append("contribution-bounded")
        if found.form == "first-order":
            caveats.append("first-order-interval")
        if "quantile" in found.reads:
            caveats.append("quantile-from-bins")
        if "survival" in found.reads:
            caveats.append("held-to-0-to-1")
        caveats += [f"combined-{word}" for word in ("proportion", "rate", "ratio", "sum", "rows") if word in rate]
    return Column(found.name, "estimate", "number", tuple(caveats), rate=bool(rate))


def _shown(cell: Cell, field: Field) -> KeyCell | Estimate:
    if isinstance(cell, KeyCell):
        return cell
    return cell.estimate(rate=bool(field.sampled.rate)) if cell is not None else Estimate(None)


def ratio(top: tuple[float, float], bottom: tuple[float, float]) -> Estimate:
    """A ratio of two independently noised figures, each (value, standard deviation), the lower of them a count.

    Returns:
        An estimate without value and interval where the denominator cannot be told from zero at 95 %.
    """
    return noised(top[0], 0, top[1]).over(noised(bottom[0], 1, bottom[1], counted=True)).estimate()

"""The exact counts of a thresholded release, before noise, computed the plain way. Never optimise this."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from trustquery.catalogue.schema import Catalogue, ColumnType
from trustquery.codelists import PublicTables
from trustquery.model.nodes import Key
from trustquery.model.query import Query
from trustquery.model.unknown import CODE, MISSING, OTHER, label_of, read_label
from trustquery.reference.evaluate import CELL_LIMIT, bounded_rows, joined_rows

__all__ = ["evaluate_keys"]


def evaluate_keys(
    query: Query,
    catalogue: Catalogue,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    rank_key: bytes,
    data_version: int,
    public: PublicTables | None = None,
) -> dict[str, int]:
    """The count of each key that rows have, by label; arguments as for ``evaluate``.

    It is as if the values found had been declared, in the order of their labels: so ties between cells of one person
    go by label, and a value that nobody else has changes nobody else's order.
    """
    records = joined_rows(query, catalogue, tables, rank_key=rank_key, data_version=data_version, public=public)
    [unknown] = query.keys
    found = {label_of(record.value(unknown.expression)) for record in records}
    labels = sorted(label for label in found if label.startswith(CODE))
    values = [read_label(label, unknown.type)[1] for label in labels]
    nobody = "" if unknown.type is ColumnType.TEXT else 0  # a key has at least one value
    declared = tuple(value for value in values if value is not None) or (nobody,)
    key = Key(unknown.name, unknown.expression, unknown.type, declared)
    known = dataclasses.replace(query, keys=(key,), delta_atto=0)
    names = [*(labels or [CODE]), OTHER, MISSING]
    counts: dict[str, int] = {}
    for _, cell, value in bounded_rows(known, 0, records):
        counts[names[cell]] = counts.get(names[cell], 0) + value
    return {label: min(count, CELL_LIMIT) for label, count in sorted(counts.items())}

"""Rows of the made-up dataset that hold every awkward value: for generated tests, and from a seed."""

from __future__ import annotations

import datetime
import math
import random
from typing import Any

from tests.factories.catalogues import made_up
from trustquery.catalogue import ColumnType, Role

__all__ = ["AWKWARD", "INTEGER_KEYS", "TEXT_KEYS", "awkward_rows"]

D, T = datetime.date, datetime.datetime
AWKWARD: dict[ColumnType, list[Any]] = {
    ColumnType.INTEGER: [0, 1, 2, -3, 5, 1950, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)],
    ColumnType.NUMBER: [
        *(0.0, -0.0, 0.5, -0.5, 1.5, 2.5, 99.0, 0.1 + 0.2, 1 / 512, -1 / 512, 2.0**53, 2.0**63),
        *(math.nan, math.inf, -math.inf, 1.7976931348623157e308, -1e308, 5e-324),
    ],
    ColumnType.TEXT: [
        "",
        "F",
        "M",
        "é",
        "e\u0301",
        "nan",
        "NaN",
        "other",
        "aspirin",
        "E11",
        "E112",
        "𝒳y",
        "o'b\\\"x",
        "\0",
    ],
    ColumnType.DATE: [
        *(D(1, 1, 1), D(1900, 2, 28), D(1969, 12, 31), D(2000, 2, 29), D(2019, 12, 30), D(2020, 1, 1)),
        *(D(2020, 2, 29), D(2020, 12, 31), D(2021, 1, 1), D(2021, 1, 3), D(2021, 1, 4), D(9999, 12, 31)),
    ],
    ColumnType.TIMESTAMP: [
        *(T(1, 1, 1), T(1969, 12, 31, 23, 59, 59, 999999), T(1970, 1, 1), T(2020, 1, 1), T(2020, 1, 1, 0, 0, 0, 1)),
        *(T(2020, 2, 29, 23, 59, 59, 999999), T(2020, 12, 31, 12, 30), T(2021, 1, 1), T(9999, 12, 31, 23, 59, 59)),
    ],
    ColumnType.BOOLEAN: [True, False],
}
INTEGER_KEYS: list[Any] = [1, 2, 3, -1, 2**63 - 1]
TEXT_KEYS: list[Any] = ["1", "2", "3", "-1", "9223372036854775807", "", "é", "1\x1f1"]


def awkward_rows(seed: int, *, rows: int = 36) -> dict[str, list[dict[str, Any]]]:
    """Three tables of ``rows`` rows each about a handful of people, most of whom exceed every cap."""
    source = random.Random(seed)
    tables: dict[str, list[dict[str, Any]]] = {}
    for table in made_up().tables:
        if table.kind != "person":
            continue
        found: list[dict[str, Any]] = []
        for _ in range(rows):
            if found and source.random() < 0.2:
                found.append(dict(source.choice(found)))
                continue
            row: dict[str, Any] = {}
            for column in table.columns:
                domain = [item.value for item in column.domain or ()]
                pool = [*domain, *domain, *AWKWARD[column.type], None]
                if column.role is Role.PERSON_KEY:
                    keys = INTEGER_KEYS if column.type is ColumnType.INTEGER else TEXT_KEYS
                    pool = [*keys[:3], *keys, None]
                row[column.name] = source.choice(pool)
            found.append(row)
        tables[table.name] = found
    return tables

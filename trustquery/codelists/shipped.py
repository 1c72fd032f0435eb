"""The public tables that ship: generated, or short enough to write down; no licence stands in the way of any."""

from __future__ import annotations

import calendar
import datetime
from functools import lru_cache

from trustquery.catalogue.schema import ColumnType
from trustquery.codelists.table import PublicColumn, PublicTable, PublicTables

__all__ = ["shipped"]

FIRST_YEAR, LAST_YEAR = 2010, 2030
"""As the dates of the catalogue nhs-episodes."""

_ESP2013 = (
    5000, 5500, 5500, 5500, 6000, 6000, 6500, 7000, 7000, 7000, 7000, 6500, 6000, 5500, 5000, 4000, 2500, 1500, 1000,
)  # fmt: skip


def _days() -> PublicTable:
    first = datetime.date(FIRST_YEAR, 1, 1)
    count = (datetime.date(LAST_YEAR, 12, 31) - first).days + 1
    days = [first + datetime.timedelta(days=place) for place in range(count)]
    return PublicTable(
        "calendar_day",
        1,
        "Calendar: days",
        f"generated: the Gregorian calendar, {FIRST_YEAR} to {LAST_YEAR}",
        (
            PublicColumn("day", ColumnType.DATE, "the day"),
            PublicColumn("month", ColumnType.DATE, "first day of its month"),
            PublicColumn("weekday", ColumnType.INTEGER, "1 is Monday, 7 Sunday"),
            PublicColumn("year", ColumnType.INTEGER, "calendar year"),
        ),
        tuple((d.isoformat(), d.replace(day=1).isoformat(), d.isoweekday(), d.year) for d in days),
    )


def _months() -> PublicTable:
    rows = []
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        for month in range(1, 13):
            length = calendar.monthrange(year, month)[1]
            first = datetime.date(year, month, 1)
            rows.append((first.isoformat(), (first + datetime.timedelta(days=length)).isoformat(), length, year))
    return PublicTable(
        "calendar_month",
        1,
        "Calendar: months",
        f"generated: the Gregorian calendar, {FIRST_YEAR} to {LAST_YEAR}",
        (
            PublicColumn("month", ColumnType.DATE, "first day of the month"),
            PublicColumn("next_month", ColumnType.DATE, "first day of the month after"),
            PublicColumn("days", ColumnType.INTEGER, "days in the month"),
            PublicColumn("year", ColumnType.INTEGER, "calendar year"),
        ),
        tuple(rows),
    )


def _esp2013() -> PublicTable:
    bands = [f"{low}-{low + 4}" for low in range(0, 90, 5)] + ["90+"]
    return PublicTable(
        "esp2013",
        1,
        "European Standard Population 2013",
        "Eurostat 2013, Revision of the European Standard Population, 19 bands; CC BY 4.0",
        (
            PublicColumn("age_band", ColumnType.TEXT, "five-year band, as age_band() writes it"),
            PublicColumn("weight", ColumnType.INTEGER, "people in 100,000"),
        ),
        tuple(zip(bands, _ESP2013, strict=True)),
    )


def _categories(name: str, title: str, source: str, letters: str, first: int) -> PublicTable:
    return PublicTable(
        name,
        1,
        title,
        source,
        (PublicColumn("code", ColumnType.TEXT, "three characters"),),
        tuple((f"{letter}{number:02}",) for letter in letters for number in range(first, 100)),
    )


@lru_cache(maxsize=1)
def shipped() -> PublicTables:
    """All of them."""
    return PublicTables(
        (
            _days(),
            _months(),
            _esp2013(),
            _categories(
                "icd10_category",
                "ICD-10: every three-character code that could be",
                "generated: A00 to Z99; which of them the WHO uses is not said",
                "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                0,
            ),
            _categories(
                "opcs4_category",
                "OPCS-4: every three-character code that could be",
                "generated: A01 to Z99 without I; which of them are in use is not said",
                "ABCDEFGHJKLMNOPQRSTUVWXYZ",
                1,
            ),
        )
    )

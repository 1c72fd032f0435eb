"""Which rows count: joins, filters, contribution bounds and clamps, before noise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lib.examples import Example, check
from trustquery.model.terms import Bound

VISITS = """
| pid | event_id | kind | amount | flag  |
|-----|----------|------|--------|-------|
| 1   | 10       | 1    | 5      | true  |
| 1   | 11       | 1    | 7.5    | false |
| 1   | 12       | 2    | 200    | true  |
| 2   | 20       | 1    |        | true  |
|     | 30       | 1    | 1      | true  |
"""
DOSES = """
| pid | event_id | drug    | given |
|-----|----------|---------|-------|
| 1   | 10       | aspirin | true  |
| 1   | 99       | other   | true  |
| 3   | 30       | aspirin | true  |
"""
PEOPLE = """
| pid | sex | born |
|-----|-----|------|
| 1   | F   | 1950 |
| 2   | M   | 1960 |
| 3   | F   | 1970 |
"""

EXAMPLES = [
    Example(
        "Rows without a person are never read",
        "SELECT count(*) AS n, count(DISTINCT pid) AS people FROM event",
        """
        | n | people |
        |---|--------|
        | 4 | 2      |
        """,
        {"event": VISITS},
        max_rows_per_group=5,
    ),
    Example(
        "At most R rows of a person count in a cell",
        "SELECT count(*) AS n FROM event",
        """
        | n |
        |---|
        | 3 |
        """,
        {"event": VISITS},
        max_rows_per_group=2,
    ),
    Example(
        "At most G cells of a person are touched",
        "SELECT count(*) AS n, count(*) FILTER (WHERE kind = 1) AS ones FROM event GROUP BY flag",
        """
        | n | ones |
        |---|------|
        | 1 | 1    |
        """,
        {
            "event": """
            | pid | kind | flag |
            |-----|------|------|
            | 1   | 1    | true |
            | 1   | 1    | true |
            """
        },
        max_groups_per_person=1,
        max_rows_per_group=1,
    ),
    Example(
        "A filter stands before the bound: rows that do not pass use nothing up",
        "SELECT count(*) FILTER (WHERE kind = 2) AS twos, count(amount) AS known FROM event",
        """
        | twos | known |
        |------|-------|
        | 1    | 1     |
        """,
        {"event": VISITS},
        max_rows_per_group=1,
    ),
    Example(
        "A second row of a person in a table of one row a person is never read",
        "SELECT sex, count(*) AS n FROM person GROUP BY sex",
        """
        | sex | n |
        |-----|---|
        | F   | 1 |
        """,
        {
            "person": """
            | pid | sex |
            |-----|-----|
            | 1   | F   |
            | 1   | F   |
            """
        },
        max_rows_per_group=100,
    ),
    Example(
        "A person's rows beyond the table's cap are never read",
        "SELECT count(*) AS n FROM dose",
        """
        | n |
        |---|
        | 4 |
        """,
        {"dose": "| pid |\n|-----|\n" + "| 1 |\n" * 6},
        max_rows_per_group=100,
    ),
    Example(
        "A join pairs the rows of one person; keys of different types are compared as text",
        "SELECT count(*) AS n FROM event e JOIN dose d ON e.pid = d.pid",
        """
        | n |
        |---|
        | 6 |
        """,
        {"event": VISITS, "dose": DOSES},
        max_rows_per_group=100,
    ),
    Example(
        "A join on an identifier of the same person",
        "SELECT count(*) AS n FROM event e JOIN dose d ON e.pid = d.pid AND e.event_id = d.event_id",
        """
        | n |
        |---|
        | 1 |
        """,
        {"event": VISITS, "dose": DOSES},
        max_rows_per_group=100,
    ),
    Example(
        "A left join keeps rows without a partner",
        "SELECT d.drug AS drug, count(*) AS n FROM event e "
        "LEFT JOIN dose d ON e.pid = d.pid AND e.event_id = d.event_id GROUP BY drug",
        """
        | drug    | n |
        |---------|---|
        | aspirin | 1 |
        | missing | 3 |
        """,
        {"event": VISITS, "dose": DOSES},
        max_rows_per_group=100,
    ),
    Example(
        "A condition in WHERE on the optional side takes rows without a partner out",
        "SELECT count(*) AS n FROM event e LEFT JOIN dose d USING (pid) WHERE d.given",
        """
        | n |
        |---|
        | 6 |
        """,
        {"event": VISITS, "dose": DOSES},
        max_rows_per_group=100,
    ),
    Example(
        "A missing text begins with nothing, not even with the empty text",
        "SELECT count(*) AS n FROM event WHERE starts_with(nullif(code, 'a'), '')",
        """
        | n |
        |---|
        | 2 |
        """,
        {
            "event": """
            | pid | code |
            |-----|------|
            | 1   | a    |
            | 2   | b    |
            | 3   |      |
            | 4   | ''   |
            """
        },
    ),
    Example(
        "A condition on the results of CASE",
        "SELECT count(*) AS n FROM event WHERE (CASE WHEN size < 0 THEN NULL ELSE 'x' END) IN ('x')",
        """
        | n |
        |---|
        | 3 |
        """,
        {
            "event": """
            | pid | size |
            |-----|------|
            | 1   | -1   |
            | 2   | 1    |
            | 3   |      |
            | 4   |      |
            """
        },
    ),
    Example(
        "People are counted once, however many rows they have",
        "SELECT p.sex AS sex, count(DISTINCT p.pid) AS people FROM event e JOIN person p USING (pid) GROUP BY sex",
        """
        | sex | people |
        |-----|--------|
        | F   | 1      |
        | M   | 1      |
        """,
        {"event": VISITS, "person": PEOPLE},
    ),
    Example(
        "Sums are clamped row by row, missing values left out, means are sums over counts",
        "SELECT sum(amount) AS total, avg(amount) AS mean FROM event",
        """
        | total | mean |
        |-------|------|
        | 225/2 | 75/2 |
        """,
        {"event": VISITS},
        max_rows_per_group=3,
    ),
    Example(
        "Values are kept to 1/256, half of it rounded up, before the clamp",
        "SELECT sum(clamp(cost, -1, 1)) AS total FROM event GROUP BY kind",
        """
        | total |
        |-------|
        | 1/256 |
        | 1     |
        | -1    |
        """,
        {
            "event": """
            | pid | kind | cost       |
            |-----|------|------------|
            | 1   | 1    | 0.001953125 |
            | 2   | 1    | -0.001953125 |
            | 3   | 2    | inf        |
            | 4   | -3   | -inf       |
            | 5   | 1    | nan        |
            """
        },
    ),
    Example(
        "A person's total in a cell is clamped, whatever rows it comes from",
        "SELECT kind, sum(amount) AS total, count(amount) AS n FROM event GROUP BY kind",
        """
        | kind | total | n |
        |------|-------|---|
        | 1    | 18    | 3 |
        | 2    | 10    | 1 |
        """,
        {
            "event": """
            | pid | kind | amount |
            |-----|------|--------|
            | 1   | 1    | 6      |
            | 1   | 1    | 7      |
            | 1   | 1    | -1     |
            | 1   | 2    | 30     |
            | 2   | 1    | 8      |
            """
        },
        bounds=(Bound("total", 2, 0, 10 * 256), Bound("total", 2, 0, 2)),
    ),
    Example(
        "The totals of a person are scaled down together until their sizes add up to C",
        "SELECT kind, sum(amount) AS total, count(*) AS n FROM event GROUP BY kind",
        """
        | kind | total | n   |
        |------|-------|-----|
        | 1    | 12    | 5/2 |
        | 2    | 6     | 1/2 |
        """,
        {
            "event": """
            | pid | kind | amount |
            |-----|------|--------|
            | 1   | 1    | 6      |
            | 1   | 1    | 6      |
            | 1   | 1    | 4      |
            | 1   | 2    | 24     |
            | 2   | 1    | 8      |
            """
        },
        bounds=(Bound("l1", 0, 0, 10 * 256 * 1024), Bound("l1", 0, 0, 2 * 1024)),
    ),
    Example(
        "Negative totals count by their size, and scale towards zero",
        "SELECT kind, sum(clamp(cost, -100, 100)) AS total FROM event GROUP BY kind",
        """
        | kind | total |
        |------|-------|
        | 1    | -5/2  |
        | 2    | 15/2  |
        """,
        {
            "event": """
            | pid | kind | cost |
            |-----|------|------|
            | 1   | 1    | -10  |
            | 1   | 2    | 30   |
            """
        },
        bounds=(Bound("l1", 0, 0, 10 * 256 * 1024),),
    ),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_rows_that_count(example: Example, tmp_path: Path) -> None:
    check(example, tmp_path)

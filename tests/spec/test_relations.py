"""Rows that belong to one person: subqueries, windows, EXISTS and IN, UNION ALL, outer joins and public tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lib.examples import Example, check

VISITS = """
| pid | event_id | kind | amount | size | day        | flag  |
|-----|----------|------|--------|------|------------|-------|
| 1   | 10       | 1    | 5      | 1    | 2020-01-01 | true  |
| 1   | 11       | 1    | 7.5    | 2    | 2020-01-20 | false |
| 1   | 12       | 2    | 20     | 3    | 2020-03-01 | true  |
| 2   | 20       | 1    |        | 4    | 2020-02-29 | true  |
| 2   | 21       | 3    | 1      |      |            | true  |
|     | 30       | 1    | 1      | 1    | 2020-01-01 | true  |
"""
DOSES = """
| pid | event_id | drug    | units | given |
|-----|----------|---------|-------|-------|
| 1   | 10       | aspirin | 2     | true  |
| 1   | 99       | other   | 9     | true  |
| 3   | 30       | aspirin | 3     | true  |
"""
PEOPLE = """
| pid | sex | born |
|-----|-----|------|
| 1   | F   | 1950 |
| 2   | M   | 1960 |
| 3   | F   | 1970 |
"""
ALL = {"event": VISITS, "dose": DOSES, "person": PEOPLE}


def example(title: str, sql: str, result: str) -> Example:
    return Example(title, sql, result, ALL, max_groups_per_person=20, max_rows_per_group=50)


EXAMPLES = [
    example(
        "A subquery keeps each person's rows apart",
        "SELECT count(*) AS n FROM (SELECT pid, kind FROM event WHERE kind = 1) x",
        """
        | n |
        |---|
        | 3 |
        """,
    ),
    example(
        "A query of WITH may be read more than once",
        "WITH v AS (SELECT pid, kind FROM event) "
        "SELECT count(*) AS n FROM v a JOIN v b ON a.pid = b.pid AND a.kind < b.kind",
        """
        | n |
        |---|
        | 3 |
        """,
    ),
    example(
        "One row a person, counted, then people by the count",
        "SELECT CASE WHEN n > 2 THEN 'many' ELSE 'few' END AS rows, count(*) AS people "
        "FROM (SELECT pid, count(*) AS n FROM event GROUP BY pid) x GROUP BY 1",
        """
        | rows | people |
        |------|--------|
        | many | 1      |
        | few  | 1      |
        """,
    ),
    example(
        "Figures of a person's rows",
        "SELECT sum(clamp(total, 0, 100)) AS total, sum(clamp(top, 0, 9)) AS top, count(*) FILTER (WHERE odd) AS odd, "
        "sum(clamp(kinds, 0, 9)) AS kinds, sum(clamp(mean, 0, 100)) AS mean FROM (SELECT pid, sum(amount) AS total, "
        "max(size) AS top, bool_or(NOT flag) AS odd, count(DISTINCT kind) AS kinds, "
        "avg(amount) FILTER (WHERE kind = 1) AS mean FROM event GROUP BY pid) x",
        """
        | total | top | odd | kinds | mean |
        |-------|-----|-----|-------|------|
        | 67/2  | 7   | 1   | 4     | 25/4 |
        """,
    ),
    example(
        "HAVING on a person's own rows",
        "SELECT count(*) AS n FROM (SELECT pid FROM event GROUP BY pid HAVING count(*) > 2) x",
        """
        | n |
        |---|
        | 1 |
        """,
    ),
    example(
        "DISTINCT within the person",
        "SELECT kind, count(*) AS n FROM (SELECT DISTINCT pid, kind FROM event) x GROUP BY kind",
        """
        | kind  | n |
        |-------|---|
        | 1     | 2 |
        | 2     | 1 |
        | other | 1 |
        """,
    ),
    example(
        "UNION ALL of two tables",
        "SELECT k, count(*) AS n FROM (SELECT pid, CASE WHEN kind = 1 THEN 'one' END AS k FROM event "
        "UNION ALL SELECT pid, CASE WHEN units > 2 THEN 'large' END FROM dose) x GROUP BY 1",
        """
        | k       | n |
        |---------|---|
        | one     | 3 |
        | large   | 2 |
        | missing | 3 |
        """,
    ),
    example(
        "EXISTS: of the same person, under a condition on both rows",
        "SELECT count(*) AS n FROM event e WHERE EXISTS "
        "(SELECT 1 FROM dose d WHERE d.pid = e.pid AND d.event_id = e.event_id)",
        """
        | n |
        |---|
        | 1 |
        """,
    ),
    example(
        "NOT EXISTS, and EXISTS in a FILTER",
        "SELECT count(*) AS n, count(*) FILTER (WHERE EXISTS (SELECT 1 FROM event o WHERE o.pid = e.pid AND "
        "o.kind > e.kind)) AS then_more FROM event e WHERE NOT EXISTS (SELECT 1 FROM dose d WHERE d.pid = e.pid)",
        """
        | n | then_more |
        |---|-----------|
        | 2 | 1         |
        """,
    ),
    example(
        "IN of people, within OR and NOT",
        "SELECT count(*) AS n FROM event WHERE pid NOT IN (SELECT pid FROM dose WHERE units > 2) OR kind = 2",
        """
        | n |
        |---|
        | 3 |
        """,
    ),
    example(
        "lag: days since the row before",
        "SELECT count(*) FILTER (WHERE gap <= 30) AS soon, count(gap) AS again FROM (SELECT pid, "
        "date_diff('day', lag(day) OVER (PARTITION BY pid ORDER BY day), day) AS gap FROM event) x",
        """
        | soon | again |
        |------|-------|
        | 1    | 2     |
        """,
    ),
    example(
        "row_number and QUALIFY: the last row of each person",
        "SELECT kind, count(*) AS n FROM (SELECT * FROM event "
        "QUALIFY row_number() OVER (PARTITION BY pid ORDER BY day DESC NULLS LAST) = 1) x GROUP BY kind",
        """
        | kind | n |
        |------|---|
        | 1    | 1 |
        | 2    | 1 |
        """,
    ),
    example(
        "A running sum over 30 days",
        "SELECT sum(clamp(s, 0, 100)) AS n FROM (SELECT pid, sum(amount) OVER (PARTITION BY pid ORDER BY day "
        "RANGE BETWEEN INTERVAL 30 DAY PRECEDING AND CURRENT ROW) AS s FROM event) x",
        """
        | n    |
        |------|
        | 77/2 |
        """,
    ),
    example(
        "Rank leaves peers what they are",
        "SELECT sum(clamp(r, 0, 9)) AS r, sum(clamp(d, 0, 9)) AS d, sum(clamp(t, 0, 9)) AS t FROM (SELECT pid, "
        "rank() OVER w AS r, dense_rank() OVER w AS d, ntile(2) OVER w AS t FROM event "
        "WINDOW w AS (PARTITION BY pid ORDER BY kind)) x",
        """
        | r | d | t |
        |---|---|---|
        | 8 | 7 | 7 |
        """,
    ),
    example(
        "First, last and second value in the total order",
        "SELECT sum(clamp(f, 0, 9)) AS f, sum(clamp(l, 0, 9)) AS l, sum(clamp(s, 0, 9)) AS s FROM (SELECT pid, "
        "first_value(size) OVER w AS f, last_value(size) OVER w AS l, nth_value(size, 2) OVER w AS s FROM event "
        "WINDOW w AS (PARTITION BY pid ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) x",
        """
        | f  | l | s |
        |----|---|---|
        | 11 | 9 | 6 |
        """,
    ),
    example(
        "RIGHT JOIN keeps people without a row",
        "SELECT sex, count(*) AS n, count(e.kind) AS rows FROM event e RIGHT JOIN person p ON p.pid = e.pid GROUP BY 1",
        """
        | sex | n | rows |
        |-----|---|------|
        | F   | 4 | 3    |
        | M   | 2 | 2    |
        """,
    ),
    example(
        "FULL JOIN: the person is that of either side",
        "SELECT count(*) AS n, count(DISTINCT pid) AS people FROM event FULL JOIN dose USING (pid)",
        """
        | n | people |
        |---|--------|
        | 9 | 3      |
        """,
    ),
    example(
        "A public calendar: each row in its month",
        "SELECT c.month, count(*) AS n FROM event e JOIN calendar_month c ON e.day >= c.month AND e.day < c.next_month "
        "WHERE c.year = 2020 GROUP BY 1",
        """
        | month      | n |
        |------------|---|
        | 2020-01-01 | 2 |
        | 2020-02-01 | 1 |
        | 2020-03-01 | 1 |
        """,
    ),
    example(
        "A date range inside a subquery is the key's range outside",
        "SELECT date_trunc('month', day) AS month, count(*) AS n FROM (SELECT pid, day FROM event "
        "WHERE day >= DATE '2020-01-01' AND day < DATE '2020-03-01') x GROUP BY 1",
        """
        | month      | n |
        |------------|---|
        | 2020-01-01 | 2 |
        | 2020-02-01 | 1 |
        """,
    ),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda found: found.title)
def test_relations(example: Example, tmp_path: Path) -> None:
    check(example, tmp_path)

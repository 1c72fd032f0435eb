"""What happens to the merged, noised table: arithmetic, HAVING, ORDER BY, LIMIT, and outer SELECTs with public tables.

All of it is post-processing: the vector, its noise and its cost are those of the innermost aggregate alone.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.factories.catalogues import made_up
from tests.lib.examples import Example, check, compiled
from tests.lib.refusals import code_of
from trustquery.catalogue import ColumnType
from trustquery.codelists import PublicColumn, PublicTable, PublicTables, shipped
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.model.post import post_pins
from trustquery.outputs import Estimate, KeyCell, read
from trustquery.planning import compile_plan

PEOPLE = """
| pid | sex | born | alive |
|-----|-----|------|-------|
| 1   | F   | 2019 | true  |
| 2   | F   | 2018 | false |
| 3   | F   | 1960 | true  |
| 4   | M   | 2017 | true  |
| 5   | M   | 1900 |       |
| 6   | x   | 2016 | true  |
"""
RATES = (
    "SELECT age_band(2020 - born) AS band, sex, count(DISTINCT pid) AS n FROM person "
    "WHERE age_band(2020 - born) IS NOT NULL GROUP BY ALL"
)
EXAMPLES = [
    Example(
        "Arithmetic over aggregates, keys and earlier names",
        "SELECT sex, count(*) AS n, count(*) FILTER (WHERE alive) AS living, 100.0 * living / n AS share, "
        "-n + 10 AS rest FROM person GROUP BY sex HAVING n > 0 ORDER BY share DESC, sex",
        """
        | sex   | n | living | share | rest |
        |-------|---|--------|-------|------|
        | other | 1 | 1      | 100   | 9    |
        | F     | 3 | 2      | 200/3 | 7    |
        | M     | 2 | 1      | 50    | 8    |
        """,
        {"person": PEOPLE},
    ),
    Example(
        "round, abs, sqrt, clamp, greatest, least, coalesce, nullif and CASE",
        "SELECT round(count(*) / 4, 1) AS a, abs(2 - count(*)) AS b, sqrt(count(*) + 3) AS c, "
        "clamp(count(*), 0, 5) AS d, greatest(count(*), 7, 1) AS e, least(count(*), 7) AS f, "
        "coalesce(1 / (count(*) - 6), -1) AS g, "
        "nullif(count(*), 6) AS h, CASE WHEN count(*) > 5 THEN 1 ELSE 0 END AS i, "
        "if(count(*) BETWEEN 6 AND 9, 'some', 'few') AS j FROM person",
        """
        | a   | b | c | d | e | f | g  | h    | i | j    |
        |-----|---|---|---|---|---|----|------|---|------|
        | 3/2 | 4 | 3 | 5 | 7 | 6 | -1 | none | 1 | some |
        """,
        {"person": PEOPLE},
    ),
    Example(
        "GROUP BY ALL takes every output that is no aggregate",
        "SELECT sex, alive, count(*) AS n FROM person GROUP BY ALL HAVING count(*) > 0",
        """
        | sex   | alive   | n |
        |-------|---------|---|
        | F     | true    | 2 |
        | F     | false   | 1 |
        | M     | true    | 1 |
        | M     | missing | 1 |
        | other | true    | 1 |
        """,
        {"person": PEOPLE},
    ),
    Example(
        "Ties keep the plan's order; other and missing come last in both directions",
        "SELECT sex, count(*) AS n FROM person GROUP BY sex ORDER BY sex DESC",
        """
        | sex     | n |
        |---------|---|
        | é       | 0 |
        | M       | 2 |
        | F       | 3 |
        | other   | 1 |
        | missing | 0 |
        """,
        {"person": PEOPLE},
    ),
    Example(
        "NULLS FIRST puts other and missing first; LIMIT and OFFSET cut last",
        "SELECT sex, count(*) AS n FROM person GROUP BY sex ORDER BY 1 NULLS FIRST LIMIT 3 OFFSET 1",
        """
        | sex     | n |
        |---------|---|
        | missing | 0 |
        | F       | 3 |
        | M       | 2 |
        """,
        {"person": PEOPLE},
    ),
    Example(
        "Text keys sort by their public list, so that ages are in order",
        "SELECT age_band(2020 - born) AS band, count(*) AS n FROM person GROUP BY band HAVING n > 0 ORDER BY band DESC",
        """
        | band  | n |
        |-------|---|
        | 90+   | 1 |
        | 60-64 | 1 |
        | 0-4   | 4 |
        """,
        {"person": PEOPLE},
    ),
    Example(
        "A directly standardised rate: weights of a public table joined after release, summed over age",
        f"WITH r AS ({RATES}) SELECT sex, sum(n * w.weight) / 100000.0 AS rate FROM r "
        "JOIN esp2013 w ON w.age_band = r.band GROUP BY sex HAVING rate > 0 ORDER BY 1",
        """
        | sex   | rate  |
        |-------|-------|
        | F     | 4/25  |
        | M     | 3/50  |
        | other | 1/20  |
        """,
        {"person": PEOPLE},
    ),
    Example(
        "The same with the release as a subquery, and USING",
        "SELECT sum(n * weight) AS rate FROM (SELECT age_band(2020 - born) AS age_band, count(*) AS n "
        "FROM person GROUP BY ALL) AS r JOIN esp2013 USING (age_band)",
        """
        | rate  |
        |-------|
        | 27000 |
        """,
        {"person": PEOPLE},
    ),
    Example(
        "WHERE on keys and figures; other and missing are in no comparison",
        "SELECT sex, n FROM (SELECT sex, count(*) AS n FROM person GROUP BY sex) WHERE sex <> 'M' AND n >= 0",
        """
        | sex | n |
        |-----|---|
        | F   | 3 |
        | é   | 0 |
        """,
        {"person": PEOPLE},
    ),
    Example(
        "IS NULL finds missing alone; an aggregate without keys is one row",
        "SELECT count(*) AS cells, sum(n) AS people, max(n) AS most, min(n) AS least, avg(n) AS mean, "
        "sum(n) FILTER (WHERE sex IS NULL) AS missing FROM (SELECT sex, count(*) AS n FROM person GROUP BY sex) r",
        """
        | cells | people | most | least | mean | missing |
        |-------|--------|------|-------|------|---------|
        | 5     | 6      | 3    | 0     | 6/5  | 0       |
        """,
        {"person": PEOPLE},
    ),
    Example(
        "A left join keeps rows without a match, whose columns are missing",
        "SELECT band, n, weight FROM (SELECT age_band(2020 - born) AS band, count(*) AS n FROM person GROUP BY ALL) r "
        "LEFT JOIN esp2013 w ON w.age_band = r.band AND w.weight > 4000 WHERE n > 0 OR weight IS NULL ORDER BY band",
        """
        | band    | n | weight  |
        |---------|---|---------|
        | 0-4     | 4 | 5000    |
        | 60-64   | 1 | 6000    |
        | 75-79   | 0 | missing |
        | 80-84   | 0 | missing |
        | 85-89   | 0 | missing |
        | 90+     | 1 | missing |
        | other   | 0 | missing |
        | missing | 0 | missing |
        """,
        {"person": PEOPLE},
    ),
    Example(
        "Twice nested: a sum over a sum, grouped by a CASE",
        f"WITH r AS ({RATES}), s AS (SELECT sex, sum(n) AS n FROM r GROUP BY sex) "
        "SELECT CASE WHEN sex = 'F' THEN 'F' ELSE 'rest' END AS who, sum(n) AS n FROM s GROUP BY 1 ORDER BY n, who",
        """
        | who  | n |
        |------|---|
        | F    | 3 |
        | rest | 3 |
        """,
        {"person": PEOPLE},
    ),
    Example(
        "The star over a release, and its bins computed with",
        "SELECT *, h / 2 AS half FROM (SELECT histogram(born, [1950, 2000]) AS h FROM person) ORDER BY h_bin DESC",
        """
        | h_bin     | h | half |
        |-----------|---|------|
        | >=2000    | 4 | 2    |
        | 1950-1999 | 1 | 1/2  |
        | <1950     | 1 | 1/2  |
        """,
        {"person": PEOPLE},
    ),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_after_release(example: Example, tmp_path: Path) -> None:
    check(example, tmp_path)


def compile_(sql: str, public: PublicTables | None = None) -> Query:
    return compile_query(sql, made_up(), epsilon=Decimal(1), public=public)


RELEASE = "(SELECT sex, count(*) AS n FROM person GROUP BY sex) r"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_the_model_is_the_same_after_a_journey(example: Example) -> None:
    query, plan = compiled(example)
    again = Query.from_payload(query.payload())
    assert again == query
    assert compile_plan(again, made_up()).sha256 == plan.sha256


def test_what_follows_release_changes_neither_vector_nor_cost() -> None:
    bare = compile_("SELECT sex, count(*) AS n FROM person GROUP BY sex")
    around = compile_(f"SELECT sum(n) AS n FROM {RELEASE} JOIN esp2013 w ON w.age_band = r.sex WHERE n > 5 LIMIT 1")
    assert compile_plan(bare, made_up()).sha256 == compile_plan(around, made_up()).sha256
    assert bare.sha256 != around.sha256


def test_public_tables_that_are_joined_are_pinned() -> None:
    query = compile_(f"SELECT n FROM {RELEASE} JOIN esp2013 w ON w.age_band = r.sex")
    table = shipped().get("esp2013")
    assert table is not None
    assert post_pins(query) == (table.pin,)
    other = PublicTable("esp2013", 2, "x", "x", table.columns, table.rows[:3])
    plan = compile_plan(query, made_up())
    code = code_of(lambda: read(query, plan, [0] * plan.length, 1, made_up(), PublicTables([other])))
    assert code == "query-input-differs"
    assert code_of(lambda: read(query, plan, [0] * plan.length, 1, made_up(), PublicTables())) == "query-input-unknown"


POPULATION = PublicTable(
    "population",
    1,
    "People by sex",
    "made up",
    (PublicColumn("sex", ColumnType.TEXT, "sex"), PublicColumn("people", ColumnType.NUMBER, "people")),
    (("F", "200.5"), ("M", "0"), (None, "7")),
)


def test_numbers_of_a_public_table_are_exact() -> None:
    query = compile_(
        f"SELECT r.sex, n / p.people AS rate, people FROM {RELEASE} JOIN population p ON p.sex = r.sex ORDER BY n",
        PublicTables([POPULATION]),
    )
    plan = compile_plan(query, made_up())
    table = read(query, plan, [401, 5, 0, 0, 9], 1, made_up(), PublicTables([POPULATION]))
    assert [[cell.text if isinstance(cell, KeyCell) else cell.value for cell in row] for row in table.rows] == [
        ["M", None, 0.0],
        ["F", 2.0, 200.5],
    ]
    rate = table.rows[1][1]
    assert isinstance(rate, Estimate)
    assert rate.high is not None
    assert rate.high - 2.0 == pytest.approx(1.959963984540054 * plan.blocks[0].sigma_float / 200.5)


REFUSED = [
    (f"SELECT n FROM {RELEASE} JOIN event e ON e.code = r.sex", "query-input-unknown"),
    (f"SELECT n FROM {RELEASE} JOIN esp2013 w ON w.weight > n", "query-form-unsupported"),
    (f"SELECT n FROM {RELEASE} JOIN esp2013 w ON w.weight = n", "query-type"),
    (f"SELECT n FROM {RELEASE} JOIN esp2013 w ON w.weight = r.sex", "query-type"),
    (f"SELECT n FROM {RELEASE}, esp2013", "query-form-unsupported"),
    (f"SELECT n FROM {RELEASE} FULL JOIN esp2013 w ON w.age_band = r.sex", "query-form-unsupported"),
    (f"SELECT n FROM {RELEASE} JOIN (SELECT 1) w ON w.age_band = r.sex", "query-form-unsupported"),
    (f"SELECT n FROM {RELEASE} JOIN esp2013 r ON age_band = r.sex", "query-form-unsupported"),
    (f"WITH q AS (SELECT 1) SELECT n FROM {RELEASE} JOIN q ON q.a = r.sex", "query-form-unsupported"),
    (f"SELECT m FROM {RELEASE}", "query-unknown-column"),
    (f"SELECT x.n FROM {RELEASE}", "query-unknown-table"),
    (f"SELECT sex, sum(n) FROM {RELEASE}", "query-not-grouped"),
    (f"SELECT n, count(*) FROM {RELEASE} GROUP BY n", "query-type"),
    (f"SELECT n FROM {RELEASE} WHERE n", "query-type"),
    (f"SELECT n FROM {RELEASE} WHERE sex > 5", "query-type"),
    (f"SELECT median(n) FROM {RELEASE}", "query-form-unsupported"),
    (f"SELECT count(DISTINCT sex) FROM {RELEASE}", "query-form-unsupported"),
    (f"SELECT sum(sex) FROM {RELEASE}", "query-type"),
    (f"SELECT sum(n) OVER () FROM {RELEASE}", "query-form-unsupported"),
    (f"SELECT DISTINCT sex FROM {RELEASE}", "query-form-unsupported"),
    (f"SELECT * FROM {RELEASE} GROUP BY ALL", "query-form-unsupported"),
    (f"SELECT n FROM {RELEASE} ORDER BY 7", "query-literal"),
    (f"SELECT n + sex FROM {RELEASE}", "query-type"),
    ("SELECT min(n) FROM (SELECT min(born) AS n FROM person)", "query-form-unsupported"),
    ("SELECT n FROM " + "(SELECT n FROM " * 5 + RELEASE + ")" * 5, "query-form-unsupported"),
    ("WITH r AS (SELECT n FROM r) SELECT n FROM r", "query-"),
]


@pytest.mark.parametrize(("sql", "code"), REFUSED)
def test_refused_around_a_release(sql: str, code: str) -> None:
    found = code_of(lambda: compile_(sql))
    assert found is not None
    assert found.startswith(code)

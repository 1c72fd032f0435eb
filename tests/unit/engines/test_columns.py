"""Columns in memory: read once, told apart by version, and forgotten in the order of their last use."""

from pathlib import Path

from node_agent.engines.columns import Columns
from node_agent.sources.sealed import path_of
from tests.factories.catalogues import made_up
from tests.factories.rows import awkward_rows
from tests.lib.prepared import KEY, prepared

READS = {"t": ("made-up", "event", ("_p", "_r"))}


def test_a_store_that_was_made_afresh_in_the_same_place_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    columns, found = Columns(), []
    for seed in (1, 2):
        with prepared(tmp_path, made_up(), awkward_rows(seed)) as store:
            found.append(columns.tables(store.store.folder, store.store.seal(KEY), READS, everybody=True)["t"].num_rows)
            assert found[-1] == len(store.rows("event"))
    assert len(set(found)) == 2


def test_a_column_is_read_once_and_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    with prepared(tmp_path, made_up(), awkward_rows(1)) as store:
        folder, seal, columns = store.store.folder, store.store.seal(KEY), Columns()
        size = columns.tables(folder, seal, READS, everybody=True)["t"].column("_p").nbytes
        columns.tables(folder, seal, {"t": ("made-up", "event", ("_n",))}, everybody=True)
        columns.tables(folder, seal, {"t": ("made-up", "event", ("_p",))}, everybody=True)
        path_of(folder, "made-up", "event").unlink()
        columns.tables(folder, seal, {"t": ("made-up", "event", ("_p", "_r", "_n"))}, everybody=True)
        columns.tables(folder, seal, {"t": ("made-up", "event", ("_p",))}, everybody=True)
        columns.trim(size)
        assert [key[-1] for key in columns._kept] == ["_p"]

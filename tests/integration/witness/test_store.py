"""AUD-08: a witness never signs backwards, killed anywhere, started again, or put back to an older copy."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import apsw
import pytest

from tests.factories.trust import key
from tests.lib.refusals import code_of, reason_of
from tests.unit.log.test_witness import LOG, NOW, ORIGIN, head, tree
from trustquery.log import Checkpoint, Witness
from witness.store import SqliteHeads

LONG = tree(2_000)
SHOWN = [head(LONG, size) for size in range(2_001)]


def witness(heads: SqliteHeads) -> Witness:
    return Witness("w/one", key("w/one"), heads, {ORIGIN: LOG.public}.get)


def size_of(heads: SqliteHeads) -> int:
    note = heads.head(ORIGIN)
    return Checkpoint.read(note).size if note is not None else 0


def _sign_on(path: Path, out: int) -> None:
    """In a child: sign one head after another, telling each size only after its line exists."""
    heads = SqliteHeads(path)
    one, size = witness(heads), size_of(heads)
    while size < 2_000:
        one.add(size, LONG.consistency_proof(size, size + 1), SHOWN[size + 1], NOW)
        size += 1
        os.write(out, size.to_bytes(4, "big"))


def _kills(path: Path, count: int) -> None:
    chance = random.Random(count)
    signed = 0
    for _ in range(count):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                _sign_on(path, writer)
            finally:
                os._exit(0)
        os.close(writer)
        time.sleep(chance.random() * 0.03)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reader, "rb") as told:
            content = told.read()
        signed = max([signed, *(int.from_bytes(content[at : at + 4], "big") for at in range(0, len(content) - 3, 4))])
        heads = SqliteHeads(path)
        # At most one step is kept whose line nobody has got; none is signed that is not kept.
        assert size_of(heads) - signed in (0, 1)
        signed = size_of(heads)
        if signed:
            assert code_of(witness(heads).add, signed - 1, (), SHOWN[signed - 1], NOW) == "witness-conflict"
        if signed > 1_900:
            heads.close()
            for file in path.parent.iterdir():
                file.unlink()
            signed = 0
        else:
            heads.close()
    assert signed or count > 100


@pytest.mark.acceptance("AUD-08")
def test_killed_anywhere_it_never_signs_backwards(tmp_path: Path) -> None:
    _kills(tmp_path / "heads.sqlite", 60)


@pytest.mark.full_size
@pytest.mark.acceptance("AUD-08")
@pytest.mark.timeout(7_200)
def test_killed_ten_thousand_times_it_never_signs_backwards(tmp_path: Path) -> None:
    _kills(tmp_path / "heads.sqlite", 10_000)


@pytest.mark.acceptance("AUD-08")
def test_an_older_copy_is_not_started(tmp_path: Path) -> None:
    path, copy = tmp_path / "heads.sqlite", tmp_path / "copy"
    heads = SqliteHeads(path)
    witness(heads).add(0, (), SHOWN[5], NOW)
    heads.close()
    shutil.copy(path, copy)
    heads = SqliteHeads(path)
    witness(heads).add(5, LONG.consistency_proof(5, 9), SHOWN[9], NOW)
    heads.close()
    shutil.copy(copy, path)
    assert reason_of(SqliteHeads, path).endswith("it was put back to an older copy")
    for file in tmp_path.glob("heads.sqlite*"):
        file.unlink()
    assert reason_of(SqliteHeads, path).endswith("it was put back to an older copy")


def test_one_process_signs_with_one_memory(tmp_path: Path) -> None:
    heads = SqliteHeads(tmp_path / "heads.sqlite")
    assert reason_of(SqliteHeads, tmp_path / "heads.sqlite").endswith("another process has it")
    reader = SqliteHeads(tmp_path / "heads.sqlite", write=False)
    assert reader.heads() == []
    reader.close()
    heads.close()
    SqliteHeads(tmp_path / "heads.sqlite").close()


def test_a_damaged_or_absent_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "heads.sqlite"

    def read() -> object:
        return SqliteHeads(path, write=False)

    assert code_of(read) == "config-missing"
    path.write_bytes(b"no database" * 100)
    assert code_of(SqliteHeads, path) == "witness-store"
    assert code_of(read) == "witness-store"


def test_what_does_not_go_together_is_kept_once_and_not_without_end(tmp_path: Path) -> None:
    heads = SqliteHeads(tmp_path / "heads.sqlite")
    for turn in range(250):
        heads.keep_fork(ORIGIN, b"ours", b"theirs %d" % (turn // 2))
    assert len(heads.forks()) == 100
    heads.close()


def test_under_a_new_key_a_log_is_a_new_one_and_the_former_stays_signed(tmp_path: Path) -> None:
    """A node that enrolled anew begins again; and whoever brings the old key back finds what was signed of it."""
    former, later = key("ash"), key("ash-two")
    known = {ORIGIN: former.public}

    def opened() -> tuple[SqliteHeads, Witness]:
        heads = SqliteHeads(tmp_path / "heads.sqlite", logs=known.get)
        return heads, Witness("w/one", key("w/one"), heads, known.get)

    heads, one = opened()
    one.add(0, (), SHOWN[7], NOW)
    heads.close()
    known[ORIGIN] = later.public
    heads, one = opened()
    assert one.add(0, (), Checkpoint(ORIGIN, 2, LONG.root(2)).sign(later), NOW)
    assert [Checkpoint.read(note).size for _, note in heads.heads()] in ([7, 2], [2, 7])
    heads.close()
    known[ORIGIN] = former.public
    heads, one = opened()
    assert code_of(one.add, 0, (), SHOWN[3], NOW) == "witness-conflict"
    heads.close()


def test_a_store_of_the_version_before_forgets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "heads.sqlite"
    heads = SqliteHeads(path)
    witness(heads).add(0, (), SHOWN[7], NOW)
    heads.close()
    database = apsw.Connection(str(path))
    for statement in (
        "CREATE TABLE old (origin TEXT PRIMARY KEY, note BLOB NOT NULL) STRICT, WITHOUT ROWID",
        "INSERT INTO old SELECT origin, note FROM heads",
        "DROP TABLE heads",
        "ALTER TABLE old RENAME TO heads",
        "PRAGMA user_version = 1",
    ):
        database.execute(statement)
    database.close()
    heads = SqliteHeads(path, logs={ORIGIN: LOG.public}.get)
    assert code_of(witness(heads).add, 0, (), SHOWN[3], NOW) == "witness-conflict"
    assert witness(heads).add(7, LONG.consistency_proof(7, 9), SHOWN[9], NOW)
    assert size_of(heads) == 9
    heads.close()

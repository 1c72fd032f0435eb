"""The engine's child process: whatever goes wrong, one error that says nothing of the data, and no way out."""

import json
import struct
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from node_agent.config import EngineConfig
from node_agent.engines.duckdb import DuckDBEngine
from node_agent.sources.store import Store
from tests.factories.catalogues import made_up
from tests.lib.refusals import refusal
from trustquery.errors import Problem
from trustquery.language import compile_query
from trustquery.planning import compile_plan

QUERY = compile_query("SELECT sum(size) AS s FROM event", made_up(), epsilon=Decimal(1))
PLAN = compile_plan(QUERY, made_up())
ENGINE_FAULT = (Problem("internal-fault", fields={"incident": "engine"}),)
EVENT = "CAST(i AS VARCHAR) AS _p, i AS _u, 1 AS _h, 1 AS _r, CAST({size} AS BIGINT) AS size FROM range({rows}) t(i)"


def store_of(folder: Path, select: str) -> Store:
    """A store whose table is whatever a view says, so that reading it does what a test needs."""
    with duckdb.connect(str(folder / "data.duckdb")) as connection:
        connection.execute(f'CREATE VIEW "made-up/event" AS SELECT {select}')
    return Store(1, folder / "data.duckdb", {"made-up": frozenset({"event"})})


def ask(store: Store, **limits: int) -> list[int]:
    return DuckDBEngine(store, EngineConfig(**limits), made_up()).vector(QUERY, PLAN)


def failure(store: Store, **limits: int) -> tuple[Problem, ...]:
    error = refusal(lambda: ask(store, **limits))
    return error.problems if error else ()


def child(job: dict[str, Any] | bytes, *, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    data = job if isinstance(job, bytes) else json.dumps(job).encode()
    command = [sys.executable, "-I", "-m", "node_agent.engines.child"]
    return subprocess.run(command, input=data, capture_output=True, cwd=cwd, check=False, timeout=60)


def job(folder: Path, rows: str, *blocks: str, **changed: Any) -> dict[str, Any]:
    database = folder / "data.duckdb"
    if not database.exists():
        duckdb.connect(str(database)).close()
    limits = {"memory_mb": 2048, "cpu_seconds": 20, "seconds": 20, "threads": 1}
    return {"database": str(database), "public": [], "rows": rows, "blocks": list(blocks)} | limits | changed


def test_a_sound_store_is_answered(tmp_path: Path) -> None:
    assert ask(store_of(tmp_path, EVENT.format(size="2", rows=10))) == [20]


@pytest.mark.parametrize(
    ("select", "limits"),
    [
        pytest.param(
            EVENT.format(size="length(repeat('x', 1000000000 + i))", rows=50), {"memory_mb": 512}, id="memory"
        ),
        pytest.param(EVENT.format(size="i % 5", rows=10**13), {"seconds": 1}, id="too slow"),
        pytest.param("1 AS _p", {}, id="wrong columns"),
        pytest.param(EVENT.format(size="'secret-' || i", rows=5), {}, id="a value that cannot be cast"),
        pytest.param(EVENT.format(size="error('secret')", rows=5), {}, id="an engine's own error"),
    ],
)
def test_every_failure_is_the_same_error(tmp_path: Path, select: str, limits: dict[str, int]) -> None:
    assert failure(store_of(tmp_path, select), **limits) == ENGINE_FAULT


@pytest.mark.parametrize("content", [None, b"", b"not a database", b"\0" * 20_000])
def test_a_broken_database_is_that_error_too(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "data.duckdb").write_bytes(content)
    assert failure(Store(1, tmp_path / "data.duckdb", {})) == ENGINE_FAULT


def test_a_job_in_order_writes_counts_and_pairs(tmp_path: Path) -> None:
    done = child(job(tmp_path, "SELECT 1", "SELECT 3, 7", "SELECT 1, 2 LIMIT 0"), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert struct.unpack("<4q", done.stdout) == (1, 3, 7, 0)


@pytest.mark.parametrize(
    "rows",
    [
        "SELECT nothing FROM nowhere",
        "this is not SQL",
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO 'out.csv'",
        "EXPORT DATABASE 'out'",
        "ATTACH 'out.duckdb' AS other",
        "CREATE TABLE kept AS SELECT 1",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET temp_directory = 'out'",
        "SET memory_limit = '100GB'",
        "SELECT error('secret')",
    ],
)
def test_the_child_refuses_and_says_nothing(tmp_path: Path, rows: str) -> None:
    made = job(tmp_path, rows)
    before = sorted(tmp_path.iterdir())
    done = child(made, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"memory_mb": "x"}'])
def test_a_job_that_cannot_be_read_ends_the_same_way(tmp_path: Path, data: bytes) -> None:
    done = child(data, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_a_later_block_that_fails_takes_the_earlier_ones_output_with_it(tmp_path: Path) -> None:
    done = child(job(tmp_path, "SELECT 1", "SELECT 1, 2", "SELECT error('secret')"), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_the_childs_limits_let_it_write_no_file(tmp_path: Path) -> None:
    limits = {"memory_mb": 2048, "cpu_seconds": 5}
    script = (
        "import resource\nfrom node_agent.engines import child\n"
        f"child._limit({limits!r})\n"
        "print([resource.getrlimit(kind) for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)])\n"
        "try:\n    open('out', 'wb', buffering=0).write(b'x')\n"
        "except OSError as error:\n    print(error.errno)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, cwd=tmp_path, check=True, text=True
    )
    assert done.stdout == "[(0, 0), (0, 0)]\n27\n"
    assert (tmp_path / "out").read_bytes() == b""


def test_the_childs_environment_holds_nothing_of_the_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else in the interpreter's place notes what it was given."""
    recorder = tmp_path / "recorder"
    recorder.write_text(
        f"#!{sys.executable} -I\nimport json, os, sys\n"
        f"open({str(tmp_path / 'seen')!r}, 'w').write(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
        "sys.exit(1)\n"
    )
    recorder.chmod(0o700)
    store = store_of(tmp_path, EVENT.format(size="2", rows=1))
    monkeypatch.setenv("TQ_SECRET", "secret")
    monkeypatch.setattr(sys, "executable", str(recorder))
    assert failure(store) == ENGINE_FAULT
    arguments, environment = json.loads((tmp_path / "seen").read_text())
    assert arguments == ["-I", "-m", "node_agent.engines.child"]
    assert environment == {"LC_ALL": "C.UTF-8", "TZ": "UTC"}

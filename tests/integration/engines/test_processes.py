"""The engine's processes: whatever goes wrong, one error that says nothing of the data; the node stays up."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest

from node_agent.config import EngineConfig
from node_agent.engines import processes as processes_module
from node_agent.engines.job import Job
from node_agent.engines.order import Order, Task
from node_agent.engines.processes import Processes
from node_agent.engines.task import task_of
from node_agent.sources.sealed import Seal
from tests.factories.catalogues import made_up
from tests.factories.rows import awkward_rows
from tests.lib.prepared import KEY, Prepared, prepared
from tests.lib.refusals import refusal
from trustquery.errors import Problem
from trustquery.language import compile_query
from trustquery.planning import compile_plan
from trustquery.planning.checker import pinned_tables

QUERY = compile_query(
    "SELECT kind, count(*) AS n FROM event JOIN person USING (pid) GROUP BY kind", made_up(), epsilon=Decimal(1)
)
PLAN = compile_plan(QUERY, made_up())
FAULT = (Problem("internal-fault", fields={"incident": "engine"}),)
RUNS = 100
SEVEN = (7).to_bytes(8, "little")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared(tmp_path_factory.mktemp("store"), made_up(), awkward_rows(1)) as found:
        yield found


@pytest.fixture
def engine() -> Iterator[Processes]:
    found = Processes()
    yield found
    found.close()


def order(statement: str, *, cpu_seconds: int = 20, **changed: int) -> Order:
    """A statement that no model gives: as if the language had let it through."""
    limits: dict[str, Any] = {"threads": 1, "memory_mb": 512, "seconds": 20} | changed
    job = Job((statement,), None, 1, {}, None, {}, [1], 1, spans={}, **limits)
    return Order(Task(job, {}, {}), Path("/nowhere"), Seal(None, bytes(16), 1), cpu_seconds, 0, everybody=True)


def failure(engine: Processes, wrong: Order) -> tuple[Problem, ...]:
    error = refusal(lambda: engine.run(wrong))
    return error.problems if error else ()


def sound(store: Prepared, key: bytes = KEY) -> Order:
    task = task_of(QUERY, PLAN, pinned_tables(QUERY, made_up()), EngineConfig())
    return Order(task, store.store.folder, store.store.seal(key), 20, 100, everybody=True)


def one(value: str, cell: int = 0) -> str:
    return f"SELECT CAST({cell} AS BIGINT) AS _c, CAST({value} AS BIGINT) AS _low0"


BIG = one("sum(length(repeat('x', 1000000000 + i::INT)))") + " FROM range(50) t(i)"
ENDLESS = {
    "cross join": one("count(*)") + " FROM range(1000000000) a(i), range(1000000000) b(j) WHERE xor(i, j) = 7",
    "recursion": "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) " + one("max(n)") + " FROM t",
    "huge GROUP BY": one("count(*)") + " FROM (SELECT range AS k FROM range(10000000000) GROUP BY 1)",
    "sleep": one("max(x)") + " FROM (SELECT sleep_ms(60000) IS NULL AS x)",
    "memory": BIG,
}


def test_a_sound_order_is_answered(store: Prepared) -> None:
    assert store.through_child(QUERY, PLAN) == store.vector(QUERY, PLAN)


def test_several_at_once_do_not_mix(engine: Processes, store: Prepared) -> None:
    wanted = engine.run(sound(store))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda place: engine.run(order(one(str(place)))), range(8)))
        mixed = list(pool.map(lambda _: engine.run(sound(store)), range(8)))
    assert found == [place.to_bytes(8, "little") for place in range(8)]
    assert set(mixed) == {wanted}


@pytest.mark.parametrize(
    "wrong",
    [
        order("SELECT nothing FROM nowhere"),
        order("this is not SQL"),
        order(one("'secret'")),
        order("SELECT error('secret')"),
        order(BIG),
        order(ENDLESS["cross join"], seconds=1),
        order(ENDLESS["cross join"], cpu_seconds=1),
        order(one("1", cell=5)),
    ],
    ids=["no table", "no SQL", "cast", "its own error", "memory", "time", "processor time", "no such cell"],
)
def test_every_failure_is_the_same_error_and_the_next_query_is_answered(engine: Processes, wrong: Order) -> None:
    assert failure(engine, wrong) == FAULT
    assert engine.run(order(one("7"))) == SEVEN


@pytest.mark.acceptance("AVL-04")
@pytest.mark.timeout(300)
def test_a_hundred_runaway_queries_are_killed_and_the_engine_answers_on(engine: Processes) -> None:
    """Twenty of each kind, four at a time; every ten, a question is answered."""
    kinds = [kind for kind in ENDLESS for _ in range(RUNS // len(ENDLESS))]
    engine.start()
    parent = engine._parent
    assert parent is not None
    with ThreadPoolExecutor(4) as pool:
        for at in range(0, RUNS, 10):
            some = kinds[at : at + 10]
            failed = list(pool.map(lambda kind: failure(engine, order(ENDLESS[kind], seconds=1, memory_mb=256)), some))
            assert failed == [FAULT] * len(some)
            assert engine.run(order(one("7"))) == SEVEN
    assert parent.poll() is None
    assert eventually(lambda: not psutil.Process(parent.pid).children())


@pytest.mark.acceptance("INP-08")
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_parquet('{folder}/made-up/event.parquet')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM '{folder}/hostile.duckdb'",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "EXPORT DATABASE '{folder}/out'",
        "ATTACH '{folder}/hostile.duckdb' AS other",
        "ATTACH '{folder}/out.duckdb' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD '{folder}/hostile.duckdb_extension'",
        "SET enable_external_access = true",
        "SET temp_directory = '{folder}/out'",
        "SET memory_limit = '100GB'",
        "SELECT * FROM 'https://example.org/x.csv'",
    ],
)
def test_a_statement_that_reaches_out_is_refused_and_leaves_nothing(
    engine: Processes, store: Prepared, statement: str
) -> None:
    folder = store.store.folder
    (folder / "hostile.duckdb").write_bytes(b"\0" * 8 + b"DUCK" + b"\0" * 20_000)
    (folder / "hostile.duckdb_extension").write_bytes(b"\x7fELF" + b"\0" * 1_000)
    before = sorted(path.name for path in folder.rglob("*"))
    assert failure(engine, order(statement.format(folder=folder))) == FAULT
    assert sorted(path.name for path in folder.rglob("*")) == before


@pytest.mark.acceptance("INP-08")
@pytest.mark.parametrize(
    "damage", ["absent", "another table's", "another version's", "another key", "changed bytes", "plain"]
)
def test_a_file_that_is_not_what_it_should_be_is_not_read(engine: Processes, tmp_path: Path, damage: str) -> None:
    with prepared(tmp_path, made_up(), awkward_rows(1)) as found:
        folder = found.store.folder / "made-up"
        event, person = folder / "event.parquet", folder / "person.parquet"
        wrong = sound(found)
        if damage == "absent":
            event.unlink()
        elif damage == "another table's":
            event.write_bytes(person.read_bytes())
        elif damage == "another version's":
            wrong = dataclasses.replace(wrong, seal=dataclasses.replace(wrong.seal, version=9))
        elif damage == "another key":
            wrong = sound(found, bytes(32))
        elif damage == "changed bytes":
            data = bytearray(event.read_bytes())
            for at in range(8, len(data) - 8, 40):
                data[at] ^= 1
            event.write_bytes(bytes(data))
        else:
            wrong = dataclasses.replace(wrong, seal=Seal(None, wrong.seal.salt, wrong.seal.version))
        assert failure(engine, wrong) == FAULT


def test_nothing_of_a_patients_is_readable_on_the_disk(tmp_path: Path) -> None:
    rows = awkward_rows(1)
    rows["event"][0]["code"] = "a very long word of one patient's"
    with prepared(tmp_path, made_up(), rows) as found:
        assert any(row["code"] == rows["event"][0]["code"] for row in found.rows("event"))
        for path in (file for file in found.store.folder.rglob("*") if file.is_file()):
            data = path.read_bytes()
            assert b"very long word" not in data, path
            assert b"_key" not in data, path
            assert path.stat().st_mode & 0o077 == 0, path


# -- the warm parent -----------------------------------------------------------------------------------------------


def eventually(holds: Any) -> bool:
    for _ in range(200):
        if holds():
            return True
        time.sleep(0.05)
    return False


def test_the_parent_has_one_thread_no_grpc_and_none_of_the_nodes_environment(
    engine: Processes, store: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TQ_SECRET", "secret")
    for _ in range(3):
        engine.run(sound(store))
    assert engine._parent is not None
    proc = Path("/proc") / str(engine._parent.pid)
    assert len(list((proc / "task").iterdir())) == 1
    assert "cygrpc" not in (proc / "maps").read_text()
    names = {item.split(b"=")[0].decode() for item in (proc / "environ").read_bytes().split(b"\0") if item}
    assert names == set(processes_module.ENVIRONMENT)
    assert not any(name.startswith("TQ") for name in names)


@pytest.mark.acceptance("INP-08")
def test_the_parent_is_cut_off_from_every_network(engine: Processes) -> None:
    engine.start()
    assert engine._parent is not None
    proc = Path("/proc") / str(engine._parent.pid)
    alone = os.readlink(proc / "ns/net") != os.readlink("/proc/self/ns/net")
    assert alone or "Seccomp:\t2" in (proc / "status").read_text()


@pytest.mark.acceptance("INP-08")
@pytest.mark.parametrize("way", ["network namespace", "system call filter"])
def test_each_way_of_cutting_off_holds_by_itself(way: str) -> None:
    script = f"""
        import socket
        from node_agent.engines import sandbox
        if {way!r} == "system call filter":
            sandbox._own_namespace = lambda libc: False
        assert sandbox.no_network() == {way!r}
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            try:
                found = socket.socket(family).connect_ex((address, 80))
            except OSError as error:
                found = error.errno
            assert found in sandbox.UNREACHABLE, found
        print("cut off")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert done.stdout == "cut off\n", done.stderr


@pytest.mark.acceptance("INP-08")
def test_without_either_way_nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In the parent's place, one for whom neither way works.
    (tmp_path / "parent_without.py").write_text(
        "from node_agent.engines import parent, sandbox\n"
        "sandbox._own_namespace = sandbox._filter_calls = lambda libc: False\n"
        "raise SystemExit(parent.main())\n"
    )
    monkeypatch.setattr(processes_module, "COMMAND", (sys.executable, str(tmp_path / "parent_without.py")))
    error = refusal(Processes().start)
    assert error is not None
    assert error.code == "node-engine-isolation"


def test_a_parent_that_died_is_started_again(engine: Processes) -> None:
    engine.start()
    assert engine._parent is not None
    first = engine._parent.pid
    os.kill(first, signal.SIGKILL)
    engine._parent.wait()
    assert engine.run(order(one("7"))) == SEVEN
    assert engine._parent.pid != first


def test_nothing_outlives_a_node_that_is_killed() -> None:
    script = f"""
        import sys, threading
        sys.path.insert(0, {str(Path(__file__).parents[3])!r})
        from tests.integration.engines.test_processes import ENDLESS, Processes, order
        engine = Processes()
        engine.start()
        threading.Thread(target=lambda: engine.run(order(ENDLESS["cross join"])), daemon=True).start()
        print(engine._parent.pid, flush=True)
        threading.Event().wait()
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        parent = psutil.Process(int(node.stdout.readline()))
        assert eventually(parent.children)
        family = [parent, *parent.children()]
        node.kill()
    assert eventually(lambda: not any(member.is_running() and member.status() != "zombie" for member in family))


def test_a_process_can_write_no_file_and_leaves_no_core(tmp_path: Path) -> None:
    script = """
        import resource
        from node_agent.engines import sandbox
        sandbox.limit(memory_mb=512, cpu_seconds=5, seconds=20)
        print([resource.getrlimit(kind) for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)])
        try:
            open("out", "wb", buffering=0).write(b"x")
        except OSError as error:
            print(error.errno)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, check=True, text=True)
    assert done.stdout == "[(0, 0), (0, 0)]\n27\n"
    assert (tmp_path / "out").read_bytes() == b""

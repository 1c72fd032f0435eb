"""Each import contract of pyproject.toml is broken on purpose in a made-up tree, and seen to be caught."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROOMS = {
    "trustquery": ["catalogue", "cli", "client", "planning", "privacy", "reference", "synthetic", "v1", "wire"],
    "coordinator": ["cli", "fleet", "queries", "store"],
    "node_agent": ["budget", "cli", "engines", "enrolment", "gate", "link", "network", "optout", "sources"],
    "witness": ["cli", "store"],
    "audits": ["accountant", "controls", "releases", "report", "work"],
}


def lint(root: Path, sources: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Lay out every room, empty but for `sources`, and run the project's own contracts over it."""
    for package, rooms in ROOMS.items():
        for room in ("", *rooms):
            (root / package / room).mkdir(parents=True, exist_ok=True)
            (root / package / room / "__init__.py").touch()
    for name in ("session_pb2", "session_pb2_grpc"):
        (root / "trustquery" / "v1" / f"{name}.py").touch()
    (root / "node_agent" / "engines" / "parent.py").touch()
    for name, text in sources.items():
        (root / name).write_text(text)
    shutil.copy(ROOT / "pyproject.toml", root)
    return subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


BREACHES = {
    "coordinator/queries/a.py": ("import node_agent", "coordinator, node_agent and witness never import each other"),
    "node_agent/link/a.py": ("import coordinator.store", "coordinator, node_agent and witness never import each other"),
    "witness/cli/a.py": ("import coordinator.store", "coordinator, node_agent and witness never import each other"),
    "trustquery/wire/a.py": ("import node_agent", "trustquery imports none of them"),
    "trustquery/catalogue/a.py": ("import demo", "nothing that ships imports the demo"),
    "trustquery/privacy/b.py": ("import audits.controls", "nothing that ships imports the audits"),
    "node_agent/gate/c.py": ("from audits import releases", "nothing that ships imports the audits"),
    "audits/releases/a.py": ("from audits import controls", "planted faults are used by"),
    "audits/accountant/a.py": ("import trustquery.privacy", "accountant shares nothing"),
    "trustquery/planning/a.py": ("def f():\n    import socket", "trustquery has no sockets"),
    "trustquery/synthetic/a.py": ("import httpx", "trustquery has no sockets"),
    "trustquery/planning/b.py": ("import trustquery.client", "imports no client"),
    "node_agent/gate/a.py": ("from trustquery.v1 import session_pb2", "only wire/ knows the generated"),
    "node_agent/link/b.py": ("from trustquery.v1 import session_pb2", "only wire/ knows the generated"),
    "coordinator/queries/b.py": ("from sqlalchemy.orm import Session", "only coordinator/store uses SQLAlchemy"),
    "node_agent/gate/b.py": ("import apsw", "touch DuckDB or SQLite"),
    "node_agent/cli/a.py": ("import duckdb", "touch DuckDB or SQLite"),
    "coordinator/store/a.py": ("import sqlite3", "touch DuckDB or SQLite"),
    "node_agent/engines/parent.py": ("import trustquery.language", "what engine processes are forked from"),
    "trustquery/reference/a.py": ("import trustquery.planning", "the oracle knows nothing of planning"),
    "trustquery/privacy/a.py": ("import opendp.prelude as dp", "OpenDP is called in one place"),
}


@pytest.mark.parametrize("path", BREACHES)
def test_a_breach_is_caught(path: str, tmp_path: Path) -> None:
    source, contract = BREACHES[path]
    done = lint(tmp_path, {path: source})
    assert done.returncode == 1, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if contract in line and "BROKEN" in line], done.stdout


def test_what_the_map_allows_passes(tmp_path: Path) -> None:
    done = lint(
        tmp_path,
        {
            "trustquery/wire/a.py": "from trustquery.v1 import session_pb2",
            "trustquery/v1/session_pb2_grpc.py": "import grpc\nfrom trustquery.v1 import session_pb2",
            "trustquery/client/a.py": "import socket, httpx, duckdb",
            "trustquery/cli/a.py": "import trustquery.client",
            "trustquery/synthetic/a.py": "import duckdb",
            "trustquery/privacy/noise.py": "import opendp.prelude as dp",
            "coordinator/store/a.py": "import sqlalchemy",
            "coordinator/fleet/a.py": "import grpc\nfrom trustquery.v1 import session_pb2_grpc",
            "node_agent/link/a.py": "import grpc\nfrom trustquery.v1 import session_pb2_grpc",
            "node_agent/budget/a.py": "import apsw",
            "node_agent/engines/a.py": "import duckdb",
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr

"""Each house rule is broken on purpose, and seen to be caught; the places where a name is welcome are seen to pass."""

from pathlib import Path

import pytest

from tools.check_rules import RULES, built_text, check_source, main

CORE = "trustquery/planning/compile.py"


def rules_broken(path: str, source: str) -> list[str]:
    return [problem.rule for problem in check_source(path, source)[0]]


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        ("print", "print('x')"),
        ("print", "from rich.console import Console\nConsole().print('x')"),
        ("print", "import sys\nsys.stderr.write('x')"),
        ("print", "import typer\ntyper.echo('x')"),
        ("environment", "import os\nhome = os.environ['HOME']"),
        ("environment", "from os import environ as e\nhome = e.get('HOME')"),
        ("environment", "import os\nhome = os.getenv('HOME')"),
        ("secrets", "import secrets\nkey = secrets.token_bytes(32)"),
        ("secrets", "import os\nkey = os.urandom(32)"),
        ("secrets", "import uuid\nname = uuid.uuid4()"),
        ("random", "import random"),
        ("random", "def f():\n    from random import random"),
        ("random", "import numpy as np\nx = np.random.default_rng(1)"),
        ("random", "from numpy import random as r\nx = r.rand()"),
        ("clock", "import time\nnow = time.time()"),
        ("clock", "from time import monotonic\nnow = monotonic()"),
        ("clock", "import datetime as dt\nnow = dt.datetime.now(dt.UTC)"),
        ("clock", "from datetime import date\nnow = date.today()"),
        ("network", "import urllib.request\nurllib.request.urlopen('x')"),
        ("network", "from http.client import HTTPConnection"),
        ("network", "import asyncio\nasyncio.start_server(None)"),
        ("unsafe", "import pickle"),
        ("unsafe", "from pickle import loads"),
        ("unsafe", "import yaml"),
        ("unsafe", "x = eval('1')"),
        ("unsafe", "exec('x = 1')"),
        ("unsafe", "import os\nos.system('ls')"),
        ("shell", "import subprocess\nsubprocess.run('ls', shell=True)"),
        ("shell", "import subprocess\nsubprocess.run('ls', shell=flag)"),
        ("sql", "q = f'SELECT {column} FROM person'"),
        ("sql", "q = f'select * from {table}'"),
        ("sql", "q = 'SELECT * FROM person WHERE id = ' + person"),
        ("sql", "q = 'SELECT * FROM person WHERE id = %s' % person"),
        ("sql", "q = 'DELETE FROM {}'.format(table)"),
        ("sql", "q = f'''\n    INSERT INTO ledger VALUES ({x})'''"),
        ("sql", "q = f'CREATE OR REPLACE VIEW {name} AS SELECT 1'"),
        ("sql", "q = f'PRAGMA user_version = {version}'"),
        ("sql", "q = f'ATTACH {path} AS other'"),
        ("sql", "con.execute(f'VACUUM {name}')"),
        ("sql", "con.execute('VACUUM ' + name)"),
        ("todo", "x = 1  # TODO mend this"),
        ("syntax", "def f(:"),
    ],
)
def test_a_breach_is_caught_once(rule: str, source: str) -> None:
    assert set(rules_broken(CORE, source)) == {rule}


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("trustquery/cli/main.py", "print('x')"),
        ("coordinator/cli/main.py", "from rich.console import Console"),
        ("demo/__main__.py", "print('x')"),
        ("benchmarks/accuracy/__main__.py", "print('x')"),
        ("node_agent/config.py", "import os\nos.environ.get('X')"),
        ("trustquery/identity/keys.py", "import secrets, os\nos.urandom(1)"),
        ("trustquery/client/session.py", "import secrets, time\ntime.time()"),
        ("trustquery/synthetic/people.py", "import numpy as np\nnp.random.default_rng(1)"),
        ("tests/unit/test_x.py", "import random, os, pickle\nprint(os.environ, f'SELECT {x} FROM t')"),
        ("coordinator/queries/run.py", "import time\ntime.monotonic()"),
        (CORE, "import re, numpy as np\nre.compile('x'); np.sum([1])"),
        (CORE, "raise ValueError(f'SELECT needs a column called {name}')"),
        (CORE, "raise ValueError(f'GROUP BY {key} has no public domain')"),
        (CORE, "q = 'SELECT count(*) FROM person WHERE id = ?'"),
        (CORE, "con.execute('SELECT 1 FROM t WHERE x = ?', (x,))"),
        (CORE, "import subprocess\nsubprocess.run(['ls'], shell=False)"),
        (CORE, "class Printer:\n    def print(self) -> None: ...\nPrinter().print()"),
        (CORE, "x = 1  # TODO(#12): mend this"),
        (CORE, "total = count % 2 + 1"),
    ],
)
def test_what_is_allowed_passes(path: str, source: str) -> None:
    assert rules_broken(path, source) == []


def test_the_gate_has_no_clock() -> None:
    assert rules_broken("node_agent/gate/gate.py", "import time\ntime.time()") == ["clock"]


def test_a_waiver_needs_its_reason_and_its_rule() -> None:
    line = "q = f'SELECT {c} FROM t'"
    assert check_source(CORE, f"{line}  # rules: allow sql - quoted by sqlglot")[1] == 1
    assert rules_broken(CORE, f"{line}  # rules: allow sql - quoted by sqlglot") == []
    assert rules_broken(CORE, f"{line}  # rules: allow sql") == ["sql"]
    assert rules_broken(CORE, f"{line}  # rules: allow print - why") == ["sql"]


def test_a_constant_joined_to_a_constant_is_not_built_text() -> None:
    import ast

    assert built_text(ast.parse("'SELECT a ' + 'FROM b'", mode="eval").body) is None


def test_a_run_names_file_line_and_rule_and_exits_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "coordinator"
    folder.mkdir()
    (folder / "a.py").write_text("import pickle\n")
    assert main(tmp_path) == 3
    assert capsys.readouterr().out.startswith("coordinator/a.py:1: [unsafe] pickle: ")
    (folder / "a.py").write_text("import json\n")
    assert main(tmp_path) == 0


def test_every_rule_tells_what_to_do() -> None:
    assert all(":" in rule.message for rule in RULES)

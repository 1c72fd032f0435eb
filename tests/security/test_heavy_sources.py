"""INP-02: a source file that is made to break or to swamp what reads it is a typed refusal, and the node lives on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from node_agent import preparing
from node_agent.config import Home
from tests.lib.heavy_sources import FILES, SAMPLE, config_of
from tests.lib.processes import ROOT
from tests.lib.refusals import code_of
from trustquery.errors import CATALOGUE

pytestmark = [pytest.mark.acceptance("INP-02"), pytest.mark.timeout(300)]
LIMIT_MB, MOST_MB = 256, 100
REFUSED = {"data-source-heavy", "data-source-missing", "data-source-column", "data-prepare-failed"}


def run(*words: str | Path | int) -> list[list[object]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.lib.heavy_sources", *map(str, words)],
        capture_output=True, text=True, timeout=280, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_files(folder: Path, names: tuple[str, ...]) -> int:
    """Have each file read between two honest ones; returns what the child of an honest one takes, MiB."""
    run("make", folder, *names)
    first, *hostile, last = run("read", folder, LIMIT_MB, *names, "honest")
    assert (first[1], last[1]) == ("accepted", "accepted")
    assert {str(came) for _, came, *_ in hostile} <= REFUSED <= set(CATALOGUE)
    assert [version for *_, version in (first, *hostile, last)] == [1] * (1 + len(hostile)) + [2]
    base = int(str(first[3]))
    for name, _, node_grew, child_most, left, _ in hostile:
        assert int(str(node_grew)) <= MOST_MB, name
        assert int(str(child_most)) <= base + LIMIT_MB + MOST_MB, name
        assert left == [], name
    return base


def test_a_malicious_source_file_is_refused_and_the_node_lives(tmp_path: Path) -> None:
    """Pages of zeros; `--full-size` reads all ten files.

    The control: with six times the limit the same pages take more than the bound, so it is the limit that holds them.
    """
    base = check_files(tmp_path, SAMPLE)
    [(_, came, _, child_most, _, _)] = run("read", tmp_path, 6 * LIMIT_MB, "pages")
    assert came == "data-source-heavy"
    assert int(str(child_most)) > base + LIMIT_MB + MOST_MB


@pytest.mark.full_size
def test_every_malicious_source_file(tmp_path: Path) -> None:
    """A dictionary of one long text, nesting, groups, claims and lengths of a footer, an endless line, many columns."""
    check_files(tmp_path, tuple(FILES))


CHILDREN = {
    "it dies": "import os; os.abort()",
    "it says nothing": "pass",
    "it says too much": "while True: print('{' + '}' * 100_000)",
    "a line without an end": "import sys; sys.stdout.write('[' * 3_000_000)",
    "no object": "print('[1]')",
    "a number that is none": 'print(\'{"at": "x", "share": NaN}\')',
    "a name twice": 'print(\'{"done": 1, "done": 2}\')',
    "another thing": "print('{\"progress\": 1}')",
    "half a line": "import sys; sys.stdout.write('{\"done\": []}')",
    "what is no table of rows": 'print(\'{"done": [["a", "b"]]}\')',
}


@pytest.mark.parametrize("what", CHILDREN)
def test_a_child_that_has_become_something_else_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    (tmp_path / "observation_period.csv").touch()
    monkeypatch.setattr(preparing, "COMMAND", (sys.executable, "-I", "-S", "-c", CHILDREN[what]))
    config = config_of(tmp_path, LIMIT_MB)
    assert code_of(preparing.check, Home(tmp_path), config) == "data-source-heavy"


def test_what_an_honest_child_says_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above."""
    (tmp_path / "observation_period.csv").touch()
    said = 'print(\'{"at": "x", "share": 0.5}\'); print(\'{"done": [["a", "b", "ok"]]}\')'
    monkeypatch.setattr(preparing, "COMMAND", (sys.executable, "-I", "-S", "-c", said))
    assert preparing.check(Home(tmp_path), config_of(tmp_path, LIMIT_MB)) == [("a", "b", "ok")]

"""A slice of `make simulate`: histories that a seed decides, the faults that must be seen, and exact replay."""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.controls import CONTROLS
from tests.simulation.history import History
from tests.simulation.kept import Kept
from tests.simulation.script import script_of
from tests.simulation.shims import simulated
from tests.simulation.work import Outcome, Piece, run_piece


@pytest.mark.acceptance("LED-14")
def test_a_slice_of_the_simulation() -> None:
    found = run_piece(Piece(1_000, 12))
    assert found.failed == {}
    assert found.violations == 0
    assert found.histories == 12
    assert found.counts["kills"] > 0
    assert found.counts["power_cuts"] > 0
    assert found.counts["release SENT"] > 12
    assert found.counts["query closed"] > 5


@pytest.mark.acceptance("AUD-04")
def test_a_ledger_that_was_put_back_cannot_serve_two_heads() -> None:
    """One disk goes back to an earlier copy, and the node enters other things than before under the same numbers.

    Every cosignature is heard: no honest witness signs backwards, no two heads that do not go together have a quorum
    (W1 and W2), and the node freezes. A witness that signs anything is seen.
    """
    back = [seed for seed in range(1, 200) if any(event.kind == "rollback" for event in script_of(seed).events)]
    counts: collections.Counter[str] = collections.Counter()
    with simulated() as disks:
        for seed in back[:4]:
            history = History(seed).run()
            assert history.violations == []
            counts += history.counts
        with CONTROLS[next(title for title in CONTROLS if title.startswith("signs anything"))].plant(disks):
            broken = [what for seed in back[:5] for what in History(seed).run().violations]
    assert counts["disks put back"] >= 3
    assert counts["frozen after that"] >= 1
    assert counts["cosignatures"] > 50
    assert any(what.startswith("W1") for what in broken)


@pytest.mark.parametrize("name", ["sync", "replay", "quorum of one"])
def test_a_planted_fault_is_seen(name: str) -> None:
    """All of them are planted by the full run; these are seen within a few histories."""
    control = next(control for title, control in CONTROLS.items() if title.startswith(f"{name}:"))
    with simulated() as disks:
        for seed in range(1, 9):
            with control.plant(disks):
                if History(seed).run().violations:
                    return
    raise AssertionError("nobody saw it")


@pytest.mark.acceptance("LED-14")
def test_a_seed_gives_the_same_history_in_every_process() -> None:
    """To the byte: also where dictionaries and sets of text are in another order."""
    with simulated():
        here = History(5).run().digest
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--replay", "5"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    lines = done.stdout.splitlines()
    assert lines[-1] == f"trace {here}"
    assert any(" starts for the 1. time" in line for line in lines)


def test_the_command_runs_in_processes_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """As `make simulate` is typed: interrupted, it repeats no piece that it has finished."""
    command = [sys.executable, "-m", "tests.simulation", "--size", "60", "--seed", "90001", "--no-controls"]
    kept = Kept(folder=tmp_path)
    first = Piece(90_001, 50)
    kept.keep(first, Outcome(histories=50, counts=collections.Counter({"kills": 123_456})))
    done = subprocess.run([*command, "--kept", str(tmp_path)], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1].removeprefix("RESULT "))
    assert (result["histories"], result["violations"]) == (60, 0)
    assert result["kills"] >= 123_456
    assert {path.name for path in kept.folder.iterdir()} == {"90001-50-none.json", "90051-10-none.json"}
    assert Kept(root=tmp_path, folder=tmp_path).find(first) is None, "other code"


def test_an_outcome_that_is_not_whole_is_run_again(tmp_path: Path) -> None:
    kept, piece = Kept(folder=tmp_path), Piece(1, 2, "sync: does nothing")
    outcome = Outcome(2, 1, {2: ["I1"]}, collections.Counter(kills=3), 2, 0.5)
    assert kept.find(piece) is None
    kept.keep(piece, outcome)
    assert kept.find(piece) == outcome
    (path,) = kept.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    assert kept.find(piece) is None

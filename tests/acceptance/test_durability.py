"""A slice of `make torture`: power cuts, failing disks and kills at the ledger, and the faults that must be seen."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.torture.controls import CONTROLS
from tests.torture.power import cut_power, record

SLICE = ("--cuts", "250", "--kills", "20", "--faults", "40", "--controls", "60", "--workers", "1")


@pytest.mark.acceptance("LED-01", "LED-03")
@pytest.mark.timeout(300)
def test_a_slice_of_the_torture() -> None:
    """A sample of both; the whole is `python -m tests.torture --kills 10000`, which breaks every call to the disk."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture", *SLICE], capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith("RESULT ")
    found = json.loads(last.removeprefix("RESULT "))
    assert found["violations"] == 0
    assert found["controls_seen"] == len(CONTROLS)
    assert found["power_cuts"] >= 250
    assert found["kills"] >= 20
    assert found["disk_faults"] == 80
    assert found["histories"] >= 2


def test_the_same_seed_gives_the_same_history_and_the_same_cuts() -> None:
    first, second = record(3, 30), record(3, 30)
    assert [note.what for note in first.notes] == [note.what for note in second.notes]
    assert first.releases == second.releases
    assert cut_power(first, 20, 7) == cut_power(first, 20, 7)

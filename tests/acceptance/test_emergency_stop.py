"""An emergency stop at a real node with a hundred queries under way: no release leaves after it.

The observer is the other end of the node's TLS. The clock starts when the mark is on the disk, which is the first thing
that `tq-node stop` does.
"""

from __future__ import annotations

import datetime
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.trust import key
from tests.lib.lone_node import ODS, lone_node, status_of
from tests.lib.processes import run, wait_for

pytestmark = pytest.mark.timeout(240)
UNDER_WAY = 100
OFFERED = 128
LIMIT = 1.0
SQL = "SELECT count(*) AS n FROM emergency_attendance"
SLOTS = "slot_ms = 50\nrows_per_second = 10000000000\ndraws_per_second = 1000000000\nqueue_ms = 60000"


def attendances() -> dict[str, list[dict[str, Any]]]:
    first = datetime.datetime(2020, 1, 1)
    rows = [
        {"person_id": f"p{number}", "arrival_at": first + datetime.timedelta(minutes=number), "age_on_arrival": 50}
        for number in range(300)
    ]
    return {"emergency_attendance": rows}


def settings(allowance_ms: int) -> str:
    return f"{SLOTS}\nallowance_ms = {allowance_ms}\nparallel = {OFFERED}"


def keys(folder: Path) -> list[str]:
    """The key files of two governance people, as options."""
    options = []
    for name in ("grace", "ivan"):
        path = folder / f"{name}.pem"
        if not path.exists():
            key(name).save(path)
        options += ["--key", str(path)]
    return options


@pytest.mark.slow
@pytest.mark.acceptance("AUZ-10")
@pytest.mark.parametrize("coordinator_gone", [False, True], ids=["connected", "coordinator gone"])
def test_no_release_leaves_after_a_stop_with_a_hundred_queries_under_way(
    tmp_path: Path, coordinator_gone: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with lone_node(tmp_path, attendances(), SQL, settings(12_000)) as found:
        # Spread over some seconds, so that the stop meets them at every step, and some have left already.
        for _, offer in found.offers(OFFERED):
            found.observer.offer(ODS, offer)
            time.sleep(0.05)
        wait_for(lambda: len(found.releases()) >= 4, 60, "the first answers")
        assert sum(found.states().values()) == OFFERED
        if coordinator_gone:
            found.observer.stop()
        began, mark = time.time(), found.node.home.control / "stop"
        with subprocess.Popen(found.node.cli("stop"), stderr=subprocess.PIPE, text=True) as stopping:
            wait_for(mark.exists, 30, "the mark")
            stopped = mark.stat().st_mtime
            said = stopping.communicate(timeout=60)[1]
        assert stopping.returncode == 0, said
        wait_for(lambda: not found.node.process.running, 60, "the end of the process")
        time.sleep(LIMIT + 1)
        late = [when - stopped for when, _ in found.releases() if when > stopped]
        under_way = OFFERED - len([when for when, _ in found.releases() if when <= stopped])
        after = found.states()
        with capsys.disabled():
            print(
                f"\nemergency stop: {under_way} under way; mark {stopped - began:.3f} s after the command; "
                f"{len(late)} releases were seen after the mark, the last {max(late, default=0.0):.3f} s after it; "
                f"process ended {time.time() - stopped - LIMIT - 1:.1f} s after it; then {after}"
            )
        assert max(late, default=0.0) <= LIMIT
        assert under_way >= UNDER_WAY
        assert after.get("DEAD", 0) == 0  # each of them would have been an answer
        assert found.node.ledger("SELECT kind FROM leaf WHERE kind = 'stopped'") == [("stopped",)]


@pytest.mark.slow
def test_what_a_stop_held_back_stays_here_also_after_resume_and_reconnect(tmp_path: Path) -> None:
    with lone_node(tmp_path, attendances(), SQL, settings(4_000)) as found:
        first = found.ask()
        assert status_of(first) == "answer"
        for _, offer in found.offers(20):
            found.observer.offer(ODS, offer)
        wait_for(lambda: sum(found.states().values()) == 21, 30, "the reservations")
        assert run(*found.node.cli("stop")).returncode == 0
        found.node.end()
        seen = len(found.releases())
        # A node that is stopped does not start, and one that is resumed does not send what the stop held back.
        refused = run(*found.node.cli("run"), check=False)
        assert (refused.returncode, "policy-stopped" in refused.stderr) == (12, True)
        (found.node.home.control / "stop").unlink()
        refused = run(*found.node.cli("run"), check=False)
        assert (refused.returncode, "policy-stopped" in refused.stderr) == (12, True)
        run(*found.node.cli("resume", *keys(tmp_path)))
        found.node.start()
        assert status_of(found.ask()) == "answer"
        time.sleep(1)
        assert len(found.releases()) == seen + 1


@pytest.mark.slow
def test_a_pause_holds_while_connected_and_only_two_people_end_it(tmp_path: Path) -> None:
    with lone_node(tmp_path, attendances(), SQL, settings(6_000)) as found:
        for _, offer in found.offers(10):
            found.observer.offer(ODS, offer)
        wait_for(lambda: sum(found.states().values()) == 10, 30, "the reservations")
        run(*found.node.cli("pause"))
        wait_for(lambda: found.states().get("WITHHELD", 0) + found.states().get("DEAD", 0) == 10, 30, "their slots")
        assert found.releases() == []
        assert status_of(found.ask()) == "refused"
        one = run(*found.node.cli("resume", *keys(tmp_path)[:2]), check=False)
        assert (one.returncode, "auth-not-allowed" in one.stderr) == (31, True)
        run(*found.node.cli("resume", *keys(tmp_path)))
        assert status_of(found.ask()) == "answer"
        marks = found.node.ledger("SELECT kind FROM leaf WHERE kind IN ('paused', 'stopped', 'resumed') ORDER BY seq")
        assert marks == [("paused",), ("resumed",)]


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["absent", "no folder"])
def test_a_node_that_cannot_look_at_its_marks_answers_nothing(tmp_path: Path, damage: str) -> None:
    with lone_node(tmp_path, attendances(), SQL, settings(1_500)) as found:
        control = found.node.home.control
        aside = control.with_name("aside")
        assert status_of(found.ask()) == "answer"
        control.rename(aside)
        if damage == "no folder":
            control.write_bytes(b"")
        assert status_of(found.ask()) == "refused"
        undo: Callable[[], None] = control.unlink if damage == "no folder" else lambda: None
        undo()
        aside.rename(control)
        assert status_of(found.ask()) == "answer"

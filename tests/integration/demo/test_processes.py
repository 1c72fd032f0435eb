"""The demonstration's care with folders and processes: it deletes and ends only what is its own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.layout import Layout, free_ports
from demo.processes import DemoError, Processes, command, still_running, stop_recorded, tail

SLEEP = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"]


def test_only_its_own_folder_is_emptied(tmp_path: Path) -> None:
    mine = Layout(tmp_path / "mine")
    mine.make()
    (mine.base / "old").touch()
    mine.make()
    assert not (mine.base / "old").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").touch()
    with pytest.raises(DemoError, match="move it away"):
        Layout(other).make()
    assert (other / "precious").exists()


def test_ports_differ() -> None:
    assert len(set(free_ports(5))) == 5


def test_a_failed_command_shows_what_it_said(tmp_path: Path) -> None:
    assert command([sys.executable, "-c", "print(1)"], tmp_path) == "1\n"
    with pytest.raises(DemoError, match=r"(?s)exit status 3.*because"):
        command([sys.executable, "-c", "import sys; print('because', file=sys.stderr); sys.exit(3)"], tmp_path)


def test_parts_are_started_watched_and_ended(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "running.json")
    part = processes.start("sleeper", SLEEP, tmp_path, tmp_path / "logs" / "sleeper.log")
    part.wait_for("ready", 20)
    processes.check()
    assert json.loads(processes.record.read_text())["parts"][0]["pid"] == part.process.pid
    assert not still_running(processes.record)
    processes.stop()
    assert part.process.poll() is not None
    assert not processes.record.exists()


def test_a_part_that_ends_is_noticed_with_its_log(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "running.json")
    part = processes.start("brief", [sys.executable, "-c", "print('why it ended')"], tmp_path, tmp_path / "brief.log")
    part.process.wait()
    with pytest.raises(DemoError, match=r"(?s)brief ended.*why it ended"):
        processes.check()
    with pytest.raises(DemoError):
        part.wait_for("never said", 5)
    processes.stop()


def test_stopping_ends_every_wait_at_once(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "running.json")
    part = processes.start("sleeper", SLEEP, tmp_path, tmp_path / "sleeper.log")
    processes.stopping.set()
    began = time.monotonic()
    with pytest.raises(DemoError):
        part.wait_for("never said", 30)
    with pytest.raises(DemoError):
        processes.finish(part, 30)
    with pytest.raises(DemoError):
        processes.start("another", SLEEP, tmp_path, tmp_path / "another.log")
    assert time.monotonic() - began < 10
    processes.stop()


def test_what_was_left_running_is_ended_by_name_and_number(tmp_path: Path) -> None:
    record = tmp_path / "running.json"
    assert stop_recorded(record) == 0
    left = subprocess.Popen(SLEEP, stdout=subprocess.DEVNULL, start_new_session=True)
    stranger = subprocess.Popen([*SLEEP, "stranger"], stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        time.sleep(0.2)  # until both have become what they are
        rows = [{"name": "x", "pid": process.pid, "command": SLEEP} for process in (left, stranger)]
        record.write_text(json.dumps({"demonstration": 0, "parts": rows}))
        # A process id that now belongs to another command is left alone.
        assert stop_recorded(record) == 1
        assert left.wait(10) != 0
        assert stranger.poll() is None
    finally:
        for process in (left, stranger):
            process.kill()
            process.wait()
    assert not record.exists()


def test_a_demonstration_at_work_is_seen(tmp_path: Path) -> None:
    record = tmp_path / "running.json"
    record.write_text(json.dumps({"demonstration": os.getpid(), "parts": []}))
    assert not still_running(record)
    record.write_text("damaged")
    assert not still_running(record)


def test_the_end_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert tail(path) == ""
    path.write_text("\n".join(str(number) for number in range(100)))
    assert tail(path, 2) == "98\n99"

"""The data generator as a command: exit codes, stdout for data, stderr for people."""

import json
import subprocess
import sys
from pathlib import Path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trustquery.synthetic", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_writes_data_and_a_summary(tmp_path: Path) -> None:
    done = run("--episodes", "200", "--trusts", "RX1, RX2", "--seed", "3", str(tmp_path))
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert sum(rows["admission"] for rows in summary["rows"].values()) == 200
    assert (tmp_path / "RX2" / "death.parquet").is_file()
    assert "100%" in done.stderr
    again = run("--episodes", "200", "--trusts", "RX1", str(tmp_path))
    assert again.returncode == 30
    assert "config-exists" in again.stderr
    assert "fix: " in again.stderr
    assert again.stdout == ""

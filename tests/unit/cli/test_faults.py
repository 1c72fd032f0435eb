"""A fault of a program's own, and a settings file that is no text: no traceback, in any of the four programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.lib.processes import command, run
from trustquery.cli.faults import reporting_faults

SECRET = "4711 Nightingale"


def broken() -> None:
    raise ValueError(SECRET)


def test_a_fault_is_an_incident_and_its_details_are_its_owners(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as left:
        reporting_faults(broken)
    shown = capsys.readouterr()
    assert (left.value.code, shown.out) == (1, "")
    assert SECRET not in shown.err
    assert re.match(r"error: internal-fault\n  .*incident [0-9a-f]{12}", shown.err), shown.err
    (kept,) = tmp_path.iterdir()
    assert SECRET in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert str(kept) in shown.err


def test_a_fault_that_cannot_be_kept_is_told_all_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    with pytest.raises(SystemExit):
        reporting_faults(broken)
    assert "its details could not be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("node.toml", ["tq-node", "--home", "HOME", "config", "show"]),
        ("coordinator.toml", ["tq-coordinator", "--home", "HOME", "config", "check"]),
        ("witness.toml", ["tq-witness", "--home", "HOME", "status"]),
        (".trustquery/client/client.toml", ["tq", "project", "list"]),
    ],
)
def test_settings_that_are_no_text_are_refused_by_name(tmp_path: Path, settings: str, words: list[str]) -> None:
    file = tmp_path / settings
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_bytes(b"\xff\xfe[node]\n")
    file.chmod(0o600)
    program, *rest = [str(tmp_path) if word == "HOME" else word for word in words]
    done = run(command(program), *rest, check=False, home=tmp_path)
    assert done.returncode != 0
    assert "config-invalid" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr

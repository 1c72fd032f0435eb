"""``tq explain``."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from trustquery.cli.explaining import explain
from trustquery.cli.main import app
from trustquery.errors.catalogue import CATALOGUE


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_is_explained(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    explain(code.upper())
    first, fix, who, again = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{code}: ")
    assert fix.startswith("  fix: ")
    assert "{" not in first + fix
    assert who.startswith("  who can mend it: ")
    assert again.endswith(f"status {int(CATALOGUE[code].exit)}")


def test_a_mistyped_code_names_the_nearest() -> None:
    done = CliRunner().invoke(app, ["explain", "budget-exhuasted"])
    assert done.exit_code == 2
    assert "did you mean budget-exhausted?" in done.stderr

"""A result on the terminal and as data."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pytest

from trustquery.cli.output import Format
from trustquery.cli.show import show_result
from trustquery.forecast.explain import Cost
from trustquery.outputs import Column, Estimate, KeyCell, Table
from trustquery.question.result import Result, TrustOutcome

TABLE = Table(
    (Column("sex", "key", "text"), Column("n", "estimate", "number"), Column("r", "estimate", "number", (), rate=True)),
    (
        (KeyCell("value", "F", "Female"), Estimate(100.0, 90.0, 110.0), Estimate(0.5, 0.4, 0.6, (0.35, 0.65))),
        (KeyCell("missing"), Estimate(1.0, -9.0, 11.0), Estimate(None)),
    ),
)
COST = Cost(1_000, Decimal("0.1"), Decimal("0.2"), Decimal("1e-8"), 3)
RESULT = Result("ab" * 32, TABLE, (TrustOutcome("RX1", "One", True, 1_000),), COST, ("A note.",), {}, True)


def test_only_a_rate_has_a_column_with_sampling(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    show_result(RESULT, Format.TABLE)
    shown = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    rows = [[part.strip() for part in line if part.strip()] for line in shown]
    assert rows == [
        ["sex", "n", "95 % interval", "r", "95 % interval", "95 %, with sampling"],
        ["F Female", "100", "90 to 110", "0.50", "0.40 to 0.60", "0.35 to 0.65"],
        ["missing", "1", "-9 to 11", "too noisy to say", "too noisy to say", "too noisy to say"],
    ]


def test_data_carry_both_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    show_result(RESULT, Format.JSON)
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == "tq-result-1"
    assert document["table"]["rows"][0][2]["interval_combined"] == {"low": 0.35, "high": 0.65}
    show_result(RESULT, Format.CSV)
    (first, _) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (first["r_low_combined"], first["r_high_combined"]) == ("0.35", "0.65")
    assert "n_low_combined" not in first


def test_the_sdk_gives_both() -> None:
    assert RESULT.intervals["r"] == [(0.4, 0.6), (None, None)]
    assert RESULT.intervals_combined == {"r": [(0.35, 0.65), None]}

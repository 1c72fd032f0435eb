"""What a command line asks: where the text comes from, and what the values of parameters are taken for."""

from __future__ import annotations

import datetime
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.lib.refusals import code_of
from trustquery.cli.asking import TYPES, read_parameters, read_statement
from trustquery.cli.output import reporting
from trustquery.errors import Problem, TrustQueryError


def test_text_is_the_argument_a_file_or_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "stays.sql"
    path.write_text("\ufeffSELECT 1\n", encoding="utf-8")
    assert read_statement("SELECT 2").text == "SELECT 2"
    assert read_statement("SELECT x FROM a.sql").file == ""
    for given in (str(path), f"@{path}", str(path).replace(".sql", ".SQL")):
        if given.endswith(".SQL"):
            Path(given).write_text("SELECT 1\n", encoding="utf-8")
        found = read_statement(given)
        assert (found.text, found.file) == ("SELECT 1\n", given.removeprefix("@"))
    other = tmp_path / "query.txt"
    other.write_text("SELECT 3")
    assert (read_statement("", other).text, read_statement("", other).file) == ("SELECT 3", str(other))
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 4"))
    assert read_statement("-").text == "SELECT 4"


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    assert code_of(lambda: read_statement("none.sql")) == "config-missing"
    assert code_of(lambda: read_statement("@none")) == "config-missing"
    (tmp_path / "x.sql").write_bytes(b"\xff")
    assert code_of(lambda: read_statement(str(tmp_path / "x.sql"))) == "config-missing"
    assert code_of(lambda: read_statement("")) == "usage-invalid"
    assert code_of(lambda: read_statement("SELECT 1", tmp_path / "x.sql")) == "usage-invalid"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-7", -7), ("0", 0), ("007", "007"), ("-0", 0), ("1.50", Decimal("1.50")), ("-0.5", Decimal("-0.5")),
        (".5", ".5"), ("1e3", "1e3"), ("true", True), ("false", False), ("True", "True"), ("", ""), ("I21.0", "I21.0"),
        ("2024-01-31", datetime.date(2024, 1, 31)), ("2024-02-31", "2024-02-31"), ("2024-1-1", "2024-1-1"),
        ("a=b", "a=b"), ("' OR 1=1 --", "' OR 1=1 --"), ("NULL", "NULL"), ("1" * 40, "1" * 40),
    ],
)  # fmt: skip
def test_a_value_says_its_type(text: str, value: Any) -> None:
    found = read_parameters([f"x={text}"])["x"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("x:text=1", "1"), ("x:integer=007", 7), ("x:int=1", 1), ("x:number=1", Decimal(1)),
        ("x:decimal=1e3", Decimal(1000)),
        ("x:boolean=TRUE", True), ("x:date=2024-01-31", datetime.date(2024, 1, 31)), ("x:text=a:b=c", "a:b=c"),
        ("x:timestamp=2024-01-31T10:00", datetime.datetime(2024, 1, 31, 10)), ("x:text=", ""),
    ],
)  # fmt: skip
def test_a_type_may_be_written(item: str, value: Any) -> None:
    found = read_parameters([item])["x"]
    assert (found, type(found)) == (value, type(value))


def test_a_name_given_several_times_is_a_list() -> None:
    assert read_parameters(["x=1", "y=2", "x=3"]) == {"x": [1, 3], "y": 2}
    assert read_parameters(["x=44054006", "x=E10"]) == {"x": ["44054006", "E10"]}
    assert read_parameters(["x=1", "x:integer=2", "x=E10"]) == {"x": ["1", 2, "E10"]}


@pytest.mark.parametrize(
    "item", ["x", "=1", ":text=1", "x:sql=1", "x:=1", "x:integer=1.5", "x:date=2024-02-31", "x:boolean=1"]
)
def test_a_parameter_that_cannot_be_read(item: str) -> None:
    assert code_of(lambda: read_parameters([item])) == "usage-invalid"


def test_every_type_that_help_names_exists() -> None:
    assert {"integer", "number", "boolean", "text", "date", "timestamp"} <= set(TYPES)


def test_a_problem_of_a_file_names_the_file_and_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = "SELECT count(*)\nFROM visits\n"
    problems = [Problem("query-syntax", "line 2, column 6"), Problem("query-syntax", "RX1, RX2")]
    with pytest.raises(typer.Exit), reporting(text, "a/stays.sql"):
        raise TrustQueryError.of(problems)
    said = capsys.readouterr().err
    assert "error: query-syntax at a/stays.sql, line 2, column 6\n  | FROM visits\n  |      ^\n" in said
    assert "error: query-syntax at RX1, RX2\n" in said

"""The design system that is committed is what the locked package gives, and what the macros are made for."""

from __future__ import annotations

import csv
import io
import json
import shutil
from importlib.metadata import version as installed
from pathlib import Path

import pytest

from tools import vendor_kit
from trustquery.web import Fields, Frame, Link, Sheet, environment, read_form, wanted

LOCK = Path(__file__).parents[1] / "peers/web/package-lock.json"


def test_the_kit_is_what_the_locked_package_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["vendor_kit.py", "--check"])
    assert vendor_kit.main() == 0
    # The control: a byte more is noticed.
    changed = tmp_path / "kit"
    shutil.copytree(vendor_kit.KIT, changed)
    (changed / "nhsuk.js").write_bytes((changed / "nhsuk.js").read_bytes() + b" ")
    monkeypatch.setattr(vendor_kit, "KIT", changed)
    monkeypatch.setattr(vendor_kit, "ROOT", tmp_path)
    assert vendor_kit.main() == 3


def test_macros_and_style_sheet_are_of_one_version() -> None:
    """nhsuk-frontend-jinja 0.10 is made for nhsuk-frontend 10."""
    locked = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]["node_modules/nhsuk-frontend"]["version"]
    assert (vendor_kit.KIT / "version.txt").read_text(encoding="utf-8") == f"nhsuk-frontend {locked}\n"
    assert (locked.split(".")[0], installed("nhsuk-frontend-jinja").rpartition(".")[0]) == ("10", "0.10")


def shown(body: str, **values: object) -> str:
    """A page of this content."""
    text = (
        '{% extends "tq/base.html" %}{% from "tq/macros.html" import table, cell, row_head with context %}'
        '{% import "tq/forms.html" as forms with context %}{% block title %}T{% endblock %}'
        f"{{% block content %}}{body}{{% endblock %}}"
    )
    frame = Frame("Service", "Trust", "/", Link("Help", "/help"), account="ada", mark="m", sign_out="/out")
    return environment().from_string(text).render(frame=frame, **values)


def test_no_cell_is_empty_and_every_value_is_a_text() -> None:
    page = shown(
        '{% call table("t", "C", ["A"]) %}<tr>{{ cell(none) }}'
        '{{ cell("", instead="No reply") }}{{ cell(bad) }}</tr>{% endcall %}',
        bad="<b>",
    )
    assert ">None</td>" in page
    assert ">No reply</td>" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


def test_an_error_stands_above_beside_and_in_the_title() -> None:
    fields = Fields({"day": "x<y"}, {"day": "Enter a day"})
    page = shown(
        '{% call forms.form("/x", "Save") %}{{ forms.line("day", "Day", hint="In words") }}{% endcall %}', fields=fields
    )
    assert "<title>Error: T – Service</title>" in page
    assert '<a href="#day">Enter a day</a>' in page
    assert 'aria-describedby="day-hint day-error"' in page
    assert 'value="x&lt;y"' in page
    assert '<input type="hidden" name="mark" value="m">' in page


@pytest.mark.parametrize(
    ("accept", "format_", "twin"),
    [("", "", "html"), ("*/*", "", "html"), ("text/html,application/xhtml+xml,*/*;q=0.8", "", "html"),
     ("text/csv", "", "csv"),
     ("application/json", "", "json"), ("text/html;q=0.5, text/csv;q=0.9", "", "csv"), ("text/csv;q=0", "", "html"),
     ("text/html", "csv", "csv"), ("text/csv", "json", "json"), ("text/csv;q=x", "nonsense", "html")],
)  # fmt: skip
def test_which_twin_is_asked_for(accept: str, format_: str, twin: str) -> None:
    assert wanted(accept, format_) == twin


@pytest.mark.acceptance("INP-11")
def test_no_cell_of_a_twin_is_a_formula() -> None:
    made = Sheet("x", ["a"], [{"a": text} for text in ("=1+1", "+1", "-1", "@x", "\tx", "＝1", "plain")])
    rows = list(csv.reader(io.StringIO(made.csv().decode())))
    assert [row[0][0] for row in rows[1:-1]] == ["'"] * 6
    assert rows[-1] == ["plain"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [("text/plain", b"a=b"), ("application/json", b"{}"), ("application/x-www-form-urlencoded", b"a=b&a=c"),
     ("application/x-www-form-urlencoded", b"a" * 300_000), ("application/x-www-form-urlencoded", b"\xff=1")],
)  # fmt: skip
def test_what_is_no_form(kind: str, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"no form|twice|utf-8|bad query"):
        read_form(kind, body)
    assert read_form("application/x-www-form-urlencoded; charset=utf-8", b"a=b") == {"a": "b"}

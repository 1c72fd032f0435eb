"""Which public tables a question has at hand, and which of them are sent along."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.factories.catalogues import made_up
from tests.lib.refusals import code_of
from trustquery.client.inputs import brought, read_input, read_inputs
from trustquery.codelists import read_table, shipped
from trustquery.language import compile_query

SQL = (
    "SELECT count(*) AS n FROM event WHERE code IN (SELECT code FROM mine) OR code IN (SELECT code FROM icd10_category)"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_bytes(b"code,term\nA,x\n")
    return path


def test_a_file_may_be_named_with_a_version(file: Path) -> None:
    assert (read_input(str(file)).id, read_input(file).version) == ("mine", 1)
    named = read_input(f"other@3={file}")
    assert (named.id, named.version) == ("other", 3)
    assert code_of(lambda: read_input(f"Not plain={file}")) == "query-input-invalid"
    assert code_of(lambda: read_input(file.with_name("none.csv"))) == "config-missing"
    assert code_of(lambda: read_input(file.parent)) == "config-missing"


def test_yours_stand_before_those_that_ship_and_no_name_is_taken_twice(file: Path) -> None:
    found = read_inputs([file, read_table(b"code\nA\n", "esp2013.csv")], made_up())
    assert {table.id for table in shipped()} | {"mine"} == {table.id for table in found}
    assert found.get("esp2013").columns[0].name == "code"  # type: ignore[union-attr]
    assert code_of(lambda: read_inputs([file, f"mine@2={file}"], made_up())) == "query-input-invalid"
    assert code_of(lambda: read_inputs([f"event={file}"], made_up())) == "query-input-invalid"


def test_only_what_is_pinned_and_does_not_ship_is_sent(file: Path) -> None:
    public = read_inputs([file, read_table(b"code\nA\n", "unused.csv")], made_up())
    model = compile_query(SQL, made_up(), epsilon=Decimal(1), public=public)
    assert [pin.id for pin in model.inputs] == ["icd10_category", "mine"]
    assert [table.id for table in brought(model, public)] == ["mine"]


def test_tables_that_are_too_large_to_send_are_refused_here() -> None:
    rows = "\n".join(f"{n:09},{'x' * 40}" for n in range(30_000))
    large = read_table(f"code,term\n{rows}\n".encode(), "mine.csv")
    public = read_inputs([large], made_up())
    model = compile_query(SQL, made_up(), epsilon=Decimal(1), public=public)
    assert code_of(lambda: brought(model, public)) == "query-input-invalid"

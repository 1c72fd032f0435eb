"""Which public tables a question has at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories.catalogues import made_up
from tests.lib.refusals import code_of
from trustquery.client.inputs import read_input, read_inputs
from trustquery.codelists import PublicTable, read_table, shipped


def nobody(name: str) -> PublicTable:
    raise AssertionError(f"{name} is a file")


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
    found = read_inputs([file, read_table(b"code\nA\n", "esp2013.csv")], made_up(), nobody)
    assert {table.id for table in shipped()} | {"mine"} == {table.id for table in found}
    assert found.get("esp2013").columns[0].name == "code"  # type: ignore[union-attr]
    assert code_of(lambda: read_inputs([file, f"mine@2={file}"], made_up(), nobody)) == "query-input-invalid"
    assert code_of(lambda: read_inputs([f"event={file}"], made_up(), nobody)) == "query-input-invalid"


def test_a_plain_name_is_an_approved_table_and_everything_else_a_file(file: Path) -> None:
    asked: list[str] = []

    def approved(name: str) -> PublicTable:
        asked.append(name)
        return read_table(b"code\nB\n", f"{name.partition('@')[0]}.csv")

    found = read_inputs(["mine", "yours@2", f"third={file}"], made_up(), approved)
    assert asked == ["mine", "yours@2"]
    assert [found.get(name).values("code") for name in ("mine", "yours", "third")] == [("B",), ("B",), ("A",)]  # type: ignore[union-attr]
    assert code_of(lambda: read_inputs(["./mine"], made_up(), approved)) == "config-missing"
    assert code_of(lambda: read_inputs(["Mine"], made_up(), approved)) == "config-missing"
    assert asked == ["mine", "yours@2"]

"""Keys that are not public: a model holds them in one form, with what goes with them, or cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.factories.catalogues import coded, made_up
from tests.lib.refusals import codes_of
from trustquery.catalogue import ColumnType
from trustquery.identity import canonical
from trustquery.language import compile_query
from trustquery.model import ColumnRef, Key, Literal, Query
from trustquery.planning import compile_plan

CODE, NULL = ColumnRef("event", "code"), Literal(None, None)
UNKNOWN = json.loads(
    compile_query(
        "SELECT code, count(*) FROM event GROUP BY code", coded(), epsilon=Decimal(1), unknown_keys=True
    ).payload()
)
TRUST = json.loads(
    compile_query(
        "SELECT trust, count(*) FROM event GROUP BY trust", coded(), epsilon=Decimal(1), trusts=("a", "b")
    ).payload()
)
CHANGES: dict[str, tuple[dict[str, Any], Callable[[Any], object]]] = {
    "no delta": (UNKNOWN, lambda q: q.update(delta_atto=0)),
    "too much delta": (UNKNOWN, lambda q: q.update(delta_atto=10**9 + 1)),
    "delta below zero": (UNKNOWN, lambda q: q.update(delta_atto=-1)),
    "delta and no unknown key": (TRUST, lambda q: q.update(delta_atto=1)),
    "values of an unknown key": (UNKNOWN, lambda q: q["keys"][0].update(values=["E11"])),
    "an unknown key of another type": (UNKNOWN, lambda q: q["keys"][0].update(type="date")),
    "an unknown key that is computed": (
        UNKNOWN,
        lambda q: q["keys"][0].update(expression={"call": "coalesce", "arguments": [q["keys"][0]["expression"]] * 2}),
    ),
    "a kind that is none": (UNKNOWN, lambda q: q["keys"][0].update(kind="secret")),
    "public, written out": (TRUST, lambda q: q["keys"][0].update(kind="public")),
    "a member more": (UNKNOWN, lambda q: q["keys"][0].update(more=1)),
    "two keys": (UNKNOWN, lambda q: q["keys"].append(q["keys"][0])),
    "two statistics": (
        UNKNOWN,
        lambda q: q["aggregates"].append(q["aggregates"][0] | {"kind": "count_distinct_person"}),
    ),
    "a sum": (UNKNOWN, lambda q: q["aggregates"][0].update(kind="sum", argument=q["keys"][0]["expression"], hi=1)),
    "a trust key over a column": (TRUST, lambda q: q["keys"][0].update(expression=UNKNOWN["keys"][0]["expression"])),
    "a trust key of a name": (TRUST, lambda q: q["keys"][0].update(expression={"literal": "a", "type": "text"})),
    "two trust keys": (TRUST, lambda q: q["keys"].append(q["keys"][0])),
    "no trusts": (TRUST, lambda q: q["keys"][0].update(values=[])),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_model_that_contradicts_itself_is_not_read(name: str) -> None:
    whole, change = CHANGES[name]
    assert Query.from_payload(canonical.encode(whole)).payload() == canonical.encode(whole)
    changed = json.loads(json.dumps(whole))
    change(changed)
    assert codes_of(lambda: Query.from_payload(canonical.encode(changed))) == ["query-model-invalid"]


@pytest.mark.parametrize("column", ["size", "kind", "nothing", "pid"])
def test_every_machine_checks_the_vocabulary(column: str) -> None:
    changed = json.loads(json.dumps(UNKNOWN))
    changed["keys"][0]["expression"]["column"] = column
    query = Query.from_payload(canonical.encode(changed))
    codes = codes_of(lambda: compile_plan(query, coded()))
    assert "query-key-no-vocabulary" in codes


def test_the_catalogue_that_is_pinned_says_what_is_a_vocabulary() -> None:
    query = Query.from_payload(canonical.encode(UNKNOWN | {"catalogue": catalogue_of(made_up())}))
    assert codes_of(lambda: compile_plan(query, made_up())) == ["query-key-no-vocabulary"]


def catalogue_of(catalogue: Any) -> dict[str, Any]:
    return {"id": catalogue.id, "version": catalogue.version, "sha256": catalogue.sha256}


def test_a_key_of_a_kind_checks_itself() -> None:
    for wrong in (
        lambda: Key("k", CODE, ColumnType.TEXT, ("E11",), "unknown"),
        lambda: Key("k", CODE, ColumnType.BOOLEAN, (), "unknown"),
        lambda: Key("k", CODE, ColumnType.TEXT, ()),
        lambda: Key("k", CODE, ColumnType.TEXT, ("a",), "trust"),
        lambda: Key("k", NULL, ColumnType.INTEGER, (1,), "trust"),
    ):
        assert codes_of(wrong) == ["query-model-invalid"]

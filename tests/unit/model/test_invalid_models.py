"""A model that no compiler of ours writes cannot be built or read: nodes check themselves, bytes are read strictly."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.factories.catalogues import made_up
from tests.lib.refusals import code_of, codes_of
from trustquery.catalogue import ColumnType
from trustquery.identity import canonical
from trustquery.language import compile_query
from trustquery.model import (
    Aggregate,
    AggregateRef,
    Call,
    ColumnRef,
    Filter,
    Join,
    Key,
    KeyRef,
    Literal,
    Output,
    OutputCall,
    Query,
    Scan,
)
from trustquery.model.nodes import MAX_DEPTH, Bins, Expression, FieldRef, depth_of, walk
from trustquery.model.post import NO_TAIL, Post, Stage, Tail
from trustquery.model.relations import MAX_SCANS
from trustquery.model.terms import Bound, Terms
from trustquery.planning import compile_plan

INTEGER, NUMBER, TEXT, DATE, TIMESTAMP, BOOLEAN = ColumnType
X = ColumnRef("e", "kind")
ONE = Literal(INTEGER, 1)
SQL = (
    "SELECT sex, band(e.size, 0), count(*), avg(clamp(e.cost, 0, 10)) FILTER (WHERE e.flag) FROM event e "
    "LEFT JOIN person p ON p.pid = e.pid AND p.born > 1950 WHERE e.kind IN (1, 2) GROUP BY 1, 2"
)
QUERY = compile_query(SQL, made_up(), epsilon=Decimal(1))
ANY: Any = object()

NODES: dict[str, Callable[[], object]] = {
    "a name in capitals": lambda: ColumnRef("E", "kind"),
    "a quoted name": lambda: ColumnRef("e", 'ki"nd'),
    "an empty name": lambda: ColumnRef("", "kind"),
    "a long name": lambda: ColumnRef("e", "k" * 64),
    "a name that is no text": lambda: Scan("e", ANY),
    "an integer too large": lambda: Literal(INTEGER, 2**53),
    "an integer that is a truth": lambda: Literal(INTEGER, True),
    "a number as a float": lambda: Literal(NUMBER, 1.5),  # type: ignore[arg-type]
    "a number in another spelling": lambda: Literal(NUMBER, "1.50E+0"),
    "a number that is none": lambda: Literal(NUMBER, "NaN"),
    "an infinite number": lambda: Literal(NUMBER, "Infinity"),
    "a date in another spelling": lambda: Literal(DATE, "20200101"),
    "a day that is none": lambda: Literal(DATE, "2020-02-30"),
    "a timestamp with a zone": lambda: Literal(TIMESTAMP, "2020-01-01T00:00:00+00:00"),
    "a timestamp in another spelling": lambda: Literal(TIMESTAMP, "2020-01-01 00:00:00"),
    "a text too long": lambda: Literal(TEXT, "x" * 201),
    "a text with NUL": lambda: Literal(TEXT, "a\0"),
    "a truth as a number": lambda: Literal(BOOLEAN, 1),
    "NULL with a value": lambda: Literal(None, 1),
    "a value without a type": lambda: Literal(TEXT, None),
    "an unknown function": lambda: Call("system", (ONE,)),
    "too few arguments": lambda: Call("add", (ONE,)),
    "too many arguments": lambda: Call("not", (ONE, ONE)),
    "a case of even length": lambda: Call("case", (ONE, ONE, ONE, ONE)),
    "arguments in a list": lambda: Call("add", [ONE, ONE]),  # type: ignore[arg-type]
    "an argument that is no expression": lambda: Call("add", (ONE, ANY)),
    "a column where a literal must stand": lambda: Call("in", (X, X)),
    "a call where a literal must stand": lambda: Call("clamp", (X, ONE, Call("neg", (ONE,)))),
    "another kind of join": lambda: Join(Scan("a", "event"), Scan("b", "event"), "cross"),  # type: ignore[arg-type]
    "a join of a filter": lambda: Join(ANY, Scan("b", "event"), "inner"),
    "a join with a query": lambda: Join(Scan("a", "event"), ANY, "inner"),
    "one alias twice": lambda: Join(Scan("a", "event"), Scan("a", "dose"), "inner"),
    "a join condition that is none": lambda: Join(Scan("a", "event"), Scan("b", "event"), "inner", ANY),
    "a filter without predicate": lambda: Filter(Scan("a", "event"), None),  # type: ignore[arg-type]
    "a key of numbers": lambda: Key("k", X, NUMBER, ("1.5",)),
    "a key of moments": lambda: Key("k", X, TIMESTAMP, ("2020-01-01T00:00:00",)),
    "a key without values": lambda: Key("k", X, INTEGER, ()),
    "a key with a value twice": lambda: Key("k", X, INTEGER, (1, 1)),
    "a key with a value of another type": lambda: Key("k", X, INTEGER, ("1",)),
    "a key of integers with a truth": lambda: Key("k", X, INTEGER, (True,)),
    "a key with too many values": lambda: Key("k", X, INTEGER, tuple(range(50_001))),
    "another aggregate": lambda: Aggregate("max", X),  # type: ignore[arg-type]
    "a sum of nothing": lambda: Aggregate("sum", None, None, 0, 0, 1),
    "a sum with bounds the wrong way": lambda: Aggregate("sum", X, None, 0, 2, 1),
    "a sum with bounds too large": lambda: Aggregate("sum", X, None, 0, 0, 2**53),
    "a sum with a bound that is a truth": lambda: Aggregate("sum", X, None, 0, False, True),
    "a sum too fine": lambda: Aggregate("sum", X, None, 21, 0, 1),
    "a sum of negative precision": lambda: Aggregate("sum", X, None, -1, 0, 1),
    "a count with bounds": lambda: Aggregate("count", X, None, 0, 0, 1),
    "people with an argument": lambda: Aggregate("count_distinct_person", X),
    "another function of outputs": lambda: OutputCall("system", (AggregateRef(0), AggregateRef(1))),
    "a quotient of one": lambda: OutputCall("div", (AggregateRef(0),)),
    "an output function of no expression": lambda: OutputCall("div", (ANY, AggregateRef(1))),
    "a case of figures of even length": lambda: OutputCall("case", (AggregateRef(0),) * 4),
    "rounding by a figure": lambda: OutputCall("round", (AggregateRef(0), AggregateRef(1))),
    "rounding too finely": lambda: OutputCall("round", (AggregateRef(0), Literal(INTEGER, 13))),
    "a list of figures": lambda: OutputCall("in", (AggregateRef(0), AggregateRef(1))),
    "a quantile above one": lambda: OutputCall("quantile", (AggregateRef(0), Literal(NUMBER, "1.5"))),
    "a quantile of a figure": lambda: OutputCall("quantile", (KeyRef(0), Literal(NUMBER, "0.5"))),
    "a reference before the first": lambda: AggregateRef(-1),
    "a field that is a truth": lambda: FieldRef(True),
    "no bins": lambda: Bins(()),
    "bins that fall": lambda: Bins(("1", "0")),
    "bins twice": lambda: Bins(("1", "1.0")),
    "bins as floats": lambda: Bins((1.5,)),  # type: ignore[arg-type]
    "bins outside their ends": lambda: Bins(("0", "5"), ("0", "4")),
    "too many bins": lambda: Bins(tuple(map(str, range(1000)))),
    "a histogram without bins": lambda: Aggregate("histogram", X),
    "a histogram of rows": lambda: Aggregate("histogram", None, bins=Bins(("0",))),
    "a count with bins": lambda: Aggregate("count", X, bins=Bins(("0",))),
}
TERMS: dict[str, Callable[[], object]] = {
    "no cells for a person": lambda: Bound("rows", 0, 1),
    "no rows for a person": lambda: Bound("rows", 1, 0),
    "too many rows": lambda: Bound("rows", 1, 100_001),
    "rows as a truth": lambda: Bound("rows", 1, True),
    "rows as a float": lambda: Bound("rows", 1, 1.0),  # type: ignore[arg-type]
    "rows and a total": lambda: Bound("rows", 1, 1, 1),
    "a total in no cells": lambda: Bound("total", 0, 0, 1),
    "a total of nothing": lambda: Bound("total", 1, 0, 0),
    "totals of nothing": lambda: Bound("l1", 0, 0, 0),
    "totals in chosen cells": lambda: Bound("l1", 1, 0, 1),
    "a total beyond exact integers": lambda: Bound("l1", 0, 0, 2**53),
    "a form that nobody knows": lambda: Bound("l2", 1, 1),  # type: ignore[arg-type]
    "no bound": lambda: Terms(None, 1),  # type: ignore[arg-type]
    "no privacy loss": lambda: Terms(Bound("rows", 1, 1), 0),
    "a negative privacy loss": lambda: Terms(Bound("rows", 1, 1), -1),
    "an infinite privacy loss": lambda: Terms(Bound("rows", 1, 1), 10**15 + 1),
    "a tree of one child": lambda: Terms(Bound("rows", 1, 1), 1, 1),
    "a tree of fewer than none": lambda: Terms(Bound("rows", 1, 1), 1, -2),
}
QUERIES: dict[str, dict[str, Any]] = {
    "no terms": {"terms": ()},
    "terms in a list": {"terms": [Terms(Bound("rows", 1, 1), 1)]},
    "terms that are none": {"terms": (None,)},
    "terms for more statistics": {"terms": (Terms(Bound("rows", 1, 1), 1),) * 2},
    "a tree over a count": {"terms": (Terms(Bound("rows", 1, 1), 1, 2),)},
    "a delta": {"delta_atto": 1},
    "another mode": {"mode": "exact"},
    "no aggregates": {"aggregates": ()},
    "no outputs": {"outputs": ()},
    "an output of nothing": {"outputs": (Output("n", AggregateRef(9)),)},
    "a key of nothing": {"outputs": (Output("n", KeyRef(9)),)},
    "a ratio of nothing": {"outputs": (Output("n", OutputCall("div", (AggregateRef(0), AggregateRef(9)))),)},
    "a field of nothing": {"outputs": (Output("n", FieldRef(0)),)},
    "a sum of a truth": {"outputs": (Output("n", OutputCall("add", (KeyRef(0), AggregateRef(0)))),)},
    "bins of a count": {"outputs": (Output("n", OutputCall("bin_count", (AggregateRef(0),))),)},
    "NULL alone": {"outputs": (Output("n", Literal(None, None)),)},
    "a condition that is a figure": {"post": Post(Tail(AggregateRef(0)))},
    "an outer SELECT of a column that is not there": {
        "post": Post(NO_TAIL, (Stage((), None, (), (), (Output("n", FieldRef(99)),)),))
    },
    "a key with noise": {"post": Post(NO_TAIL, (Stage((), None, (FieldRef(2),), (), (Output("n", KeyRef(0)),)),))},
    "one output name twice": {"outputs": (Output("n", AggregateRef(0)), Output("n", AggregateRef(1)))},
    "a day that is none": {"as_of": "2020-02-30"},
    "a day in another spelling": {"as_of": "20200101"},
    "today": {"as_of": "today"},
    "a hash that is short": {"catalogue_sha256": "00"},
    "a hash in capitals": {"catalogue_sha256": "AB" * 32},
    "a catalogue with a path": {"catalogue_id": "../x"},
    "a version that is text": {"catalogue_version": "1"},
    "too many keys": {"keys": QUERY.keys[:1] * 201},
}


@pytest.mark.parametrize("make", (NODES | TERMS).values(), ids=NODES | TERMS)
def test_an_invalid_node_cannot_be_built(make: Callable[[], object]) -> None:
    assert code_of(make) == "query-model-invalid"


@pytest.mark.parametrize("changes", QUERIES.values(), ids=QUERIES)
def test_an_invalid_query_cannot_be_built(changes: dict[str, Any]) -> None:
    assert code_of(lambda: dataclasses.replace(QUERY, **changes)) == "query-model-invalid"


def nested(depth: int) -> Expression:
    found: Expression = ColumnRef("e", "flag")
    for _ in range(depth):
        found = Call("not", (found,))
    return found


@pytest.mark.parametrize(("depth", "accepted"), [(MAX_DEPTH - 1, True), (MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_the_depth_of_expressions_is_inclusive_wherever_they_stand(depth: int, accepted: bool) -> None:
    deep = nested(depth)
    assert depth_of(deep) == depth
    assert len(list(walk(deep))) == depth + 1
    scan = Scan("e", "event")
    for changes in (
        {"relation": Filter(scan, deep), "keys": (), "outputs": (Output("n", AggregateRef(0)),)},
        {"relation": Join(scan, Scan("p", "person"), "left", deep)},
        {"keys": (Key("k", deep, BOOLEAN, (True, False)), QUERY.keys[1])},
        {"aggregates": (Aggregate("count", deep), *QUERY.aggregates[1:])},
        {"aggregates": (Aggregate("count", None, deep), *QUERY.aggregates[1:])},
    ):
        code = code_of(lambda changes=changes: dataclasses.replace(QUERY, **changes))
        assert code == ("" if accepted else "query-too-deep")


@pytest.mark.parametrize(("tables", "accepted"), [(MAX_SCANS - 1, True), (MAX_SCANS, True), (MAX_SCANS + 1, False)])
def test_the_number_of_tables_is_inclusive(tables: int, accepted: bool) -> None:
    def chain() -> None:
        found: Scan | Join = Scan("t0", "event")
        for place in range(1, tables):
            found = Join(found, Scan(f"t{place}", "event"), "inner")

    assert (code_of(chain) == "") is accepted


CHANGES: dict[str, Callable[[Any], object]] = {
    "another format": lambda d: d.update(format="tq-model-1"),
    "an unknown member": lambda d: d.update(extra=1),
    "an input": lambda d: d.update(inputs=[{"id": "x"}]),
    "a member less": lambda d: d.pop("mode"),
    "bounds beside the terms": lambda d: d.update(bounds={"groups": 1, "rows": 1}),
    "terms with another member": lambda d: d["terms"][0].update(total=1),
    "terms for fewer statistics": lambda d: d["terms"].pop(),
    "terms for more statistics": lambda d: d["terms"].append(d["terms"][0]),
    "no budget for a statistic": lambda d: d["terms"][0].update(rho_nano=0),
    "half a nano-rho": lambda d: d["terms"][0].update(rho_nano=True),
    "a bound with another member": lambda d: d["terms"][0]["bound"].update(total=1),
    "a form of bound that nobody knows": lambda d: d["terms"][0]["bound"].update(form="l2"),
    "no cells": lambda d: d["terms"][0]["bound"].update(G=0),
    "no rows": lambda d: d["terms"][0]["bound"].update(R=0),
    "more rows than may be": lambda d: d["terms"][0]["bound"].update(R=100_001),
    "rows and a total": lambda d: d["terms"][0]["bound"].update(C=5),
    "a total of nothing": lambda d: d["terms"][0].update(bound={"form": "l1", "G": 0, "R": 0, "C": 0}),
    "a total in text": lambda d: d["terms"][0].update(bound={"form": "l1", "G": 0, "R": 0, "C": str(2**53)}),
    "totals in chosen cells by all forms": lambda d: d["terms"][0].update(bound={"form": "l1", "G": 1, "R": 0, "C": 1}),
    "a tree over a count": lambda d: d["terms"][0].update(branching=2),
    "a tree of one child": lambda d: d["terms"][0].update(branching=1),
    "a total where people are counted": lambda d: (
        d["aggregates"].__setitem__(0, {**d["aggregates"][0], "kind": "count_distinct_person", "argument": None})
        or d["terms"][0].update(bound={"form": "total", "G": 1, "R": 0, "C": 1})
    ),
    "people counted more than once": lambda d: (
        d["aggregates"].__setitem__(0, {**d["aggregates"][0], "kind": "count_distinct_person", "argument": None})
        or d["terms"][0].update(bound={"form": "rows", "G": 1, "R": 2, "C": 0})
    ),
    "a catalogue with another member": lambda d: d["catalogue"].update(path="x"),
    "an unknown relation": lambda d: d.update(relation={"union": []}),
    "a scan with a condition": lambda d: d.update(relation={"scan": "event", "alias": "e", "where": None}),
    "a text relation": lambda d: d.update(relation="event"),
    "a filter inside a join": lambda d: d["relation"]["filter"].update(left=copy.deepcopy(d["relation"])),
    "an expression with SQL": lambda d: d["relation"].update(where={"sql": "true"}),
    "an expression with two forms": lambda d: d["relation"]["where"].update(column="kind"),
    "a function that is no name": lambda d: d["relation"]["where"].update(call=5),
    "arguments in an object": lambda d: d["relation"]["where"].update(arguments={}),
    "a literal with another type": lambda d: d["relation"]["where"]["arguments"][1].update(type="blob"),
    "a literal with a type that is no text": lambda d: d["relation"]["where"]["arguments"][1].update(type=["integer"]),
    "a key with SQL": lambda d: d["keys"][0].update(sql="1"),
    "values in an object": lambda d: d["keys"][0].update(values={}),
    "values in lists": lambda d: d["keys"][0].update(values=[[1]]),
    "an aggregate's kind in a list": lambda d: d["aggregates"][0].update(kind=["sum"]),
    "an output by name": lambda d: d["outputs"][0].update(read={"key": "sex"}),
    "an output by truth": lambda d: d["outputs"][0].update(read={"key": True}),
    "an output of nothing": lambda d: d["outputs"][0].update(read={}),
    "an output of two": lambda d: d["outputs"][0].update(read={"key": 0, "aggregate": 0}),
    "outputs that are null": lambda d: d.update(outputs=None),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_document_is_read_strictly(change: Callable[[Any], object]) -> None:
    document = copy.deepcopy(QUERY.document())
    assert Query.from_document(document) == QUERY
    change(document)
    assert code_of(lambda: Query.from_document(document)) == "query-model-invalid"
    assert code_of(lambda: Query.from_payload(canonical.encode(document))) == "query-model-invalid"


@pytest.mark.parametrize("data", [None, 5, "x", [], {}, [1], {"format": "tq-model-1"}])
def test_what_is_no_model_is_refused(data: Any) -> None:
    assert code_of(lambda: Query.from_document(data)) == "query-model-invalid"
    assert code_of(lambda: Query.from_payload(canonical.encode(data))) == "query-model-invalid"


def test_a_deeply_nested_document_is_refused_without_harm() -> None:
    deep: Any = {"literal": True, "type": "boolean"}
    for _ in range(90):
        deep = {"call": "not", "arguments": [deep]}
    document = QUERY.document() | {"relation": {"filter": {"scan": "event", "alias": "e"}, "where": deep}}
    assert code_of(lambda: Query.from_document(document)) in ("query-too-deep", "query-model-invalid")
    assert code_of(lambda: Query.from_payload(b'{"a":' * 5_000)) == "query-model-invalid"


HOSTILE: list[tuple[dict[str, Any], list[str]]] = [
    ({"relation": Scan("e", "ward")}, ["query-unknown-table"]),
    ({"relation": Scan("e", "sqlite_master")}, ["query-unknown-table"]),
    ({"aggregates": (Aggregate("count", ColumnRef("e", "pid")),) * 3}, ["query-column-forbidden"]),
    ({"aggregates": (Aggregate("count", ColumnRef("p", "nhs_number")),) * 3}, ["query-column-forbidden"]),
    ({"aggregates": (Aggregate("count", None, ColumnRef("e", "kind")),) * 3}, ["query-type"]),
    ({"aggregates": (Aggregate("sum", ColumnRef("e", "code"), None, 0, 0, 1),) * 3}, ["query-type"]),
    ({"aggregates": (Aggregate("count", ColumnRef("x", "kind")),) * 3}, ["query-unknown-column"]),
    ({"keys": (Key("k", ColumnRef("e", "event_id"), INTEGER, (1, 2)), QUERY.keys[1])}, ["query-column-forbidden"]),
    ({"keys": (Key("k", ColumnRef("e", "code"), INTEGER, (1, 2)), QUERY.keys[1])}, ["query-type"]),
    ({"keys": (Key("k", ColumnRef("e", "total"), INTEGER, tuple(range(50_000))), *QUERY.keys[1:] * 2)}, []),
    ({"catalogue_sha256": "00" * 32}, ["query-catalogue-mismatch"]),
    ({"catalogue_version": 2}, ["query-catalogue-mismatch"]),
    ({"mode": "secure-sum"}, ["policy-mode-unavailable"]),
    (
        {
            "terms": (Terms(Bound("rows", 1, 100_000), 1_000),) * 3,
            "aggregates": (Aggregate("sum", X, None, 20, 0, 2**53 - 1),) * 3,
        },
        ["query-sensitivity-too-large"],
    ),
    ({"terms": (Terms(Bound("l1", 0, 0, 2**53 - 1), 1),) * 3}, ["query-sensitivity-too-large"]),
]


@pytest.mark.parametrize("place", range(len(HOSTILE)))
def test_a_node_trusts_no_clients_compiler(place: int) -> None:
    """Models that are well formed and break a rule: every machine finds that by itself before it plans."""
    changes, codes = HOSTILE[place]
    query = dataclasses.replace(QUERY, **changes)
    assert codes_of(lambda: compile_plan(query, made_up()))[:1] == codes

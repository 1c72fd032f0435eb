"""Scalar functions: every test vector of the table, on the plain evaluator and on every engine.

``trustquery.language.vectors`` says how a vector is written. No call can fail: there is a result for every argument,
because an error would be a leak. What lies between the vectors is drawn at random.
"""

from __future__ import annotations

import datetime
import math
import random
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from node_agent.engines.sql import inline
from tests.lib.prepared import Prepared, prepared
from tests.lib.text_tables import value
from trustquery.catalogue import Catalogue, ColumnType, parse
from trustquery.language import compile_query, vectors
from trustquery.language.functions import FUNCTIONS
from trustquery.language.vectors import COLUMNS, Vector
from trustquery.model import Call, Expression
from trustquery.model.facts import infer
from trustquery.model.scope import shape_of_table
from trustquery.reference.rank import ranked_rows
from trustquery.reference.scalars import scalar

VECTORS = [(name, vector) for name, row in FUNCTIONS.items() for vector in row.vectors]
_ESCAPES = {"t": "\t", "n": "\n", "\\": "\\"}


def plain(cell: str) -> str:
    """A cell with its escapes read."""
    return re.sub(
        r"\\(u[0-9a-f]{4}|[tn\\])",
        lambda found: _ESCAPES.get(found[1]) or chr(int(found[1][1:], 16)),
        cell,
    )


@cache
def catalogue() -> Catalogue:
    """One table with two columns of each type."""
    columns = "\n".join(
        f'  {{ name = "{name}", type = "{type}", role = "dimension", description = "-" }},'
        for name, type in COLUMNS.items()
    )
    return parse(
        'format = "trustquery-catalogue/1"\nid = "spec"\nversion = 1\ntitle = "-"\ndescription = "-"\n'
        '[unit]\ndescription = "-"\ndeclared_people = 10\nmax_trusts = 1\n'
        '[[tables]]\nname = "row"\ntitle = "-"\ndescription = "-"\ndeclared_rows = 10\ncolumns = [\n'
        f'  {{ name = "person", type = "integer", role = "person-key", description = "-" }},\n{columns}\n]',
        name="spec",
    )


@cache
def expression(call: str) -> Expression:
    """The model of one call."""
    query = compile_query(f"SELECT count({call}) FROM row r", catalogue(), epsilon=Decimal(1))
    (aggregate,) = query.aggregates
    assert aggregate.argument is not None
    return aggregate.argument


def result_type(call: str) -> ColumnType:
    """The type that the call is known to have."""
    scope = {"r": shape_of_table(catalogue().tables[0])}
    found = infer(expression(call), scope, lambda *_, **__: pytest.fail("a problem")).type
    assert found is not None
    return found


def arguments(vector: Vector) -> dict[str, Any]:
    """A row that holds the vector's arguments."""
    named = re.sub(r"'[^']*'", "", vector.call)
    columns = list(dict.fromkeys(word for word in re.findall(r"\b[a-z]+\b", named) if word in COLUMNS))
    given = [text.strip() for text in plain(vector.arguments).split(";")]
    assert len(given) == len(columns), vector
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    return row | {name: value(text, ColumnType(COLUMNS[name])) for name, text in zip(columns, given, strict=True)}


ROWS = [{"person": place, **arguments(vector)} for place, (_, vector) in enumerate(VECTORS)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """All vectors' rows, read from a file and prepared as a node does."""
    with prepared(tmp_path_factory.mktemp("spec"), catalogue(), {"row": ROWS}) as found:
        yield found


def same(found: Any, expected: Any) -> bool:
    """Equal and of one type; 0.0 and -0.0 are one number."""
    if isinstance(found, float) and math.isnan(found):
        return False
    return type(found) is type(expected) and found == expected


def reference(node: Expression, row: dict[str, Any], type: ColumnType) -> Any:
    """The plain evaluator's value, as its static type: a date among timestamps is its midnight."""
    (row,) = ranked_rows([row], catalogue().tables[0], rank_key=bytes(32), data_version=1)
    numbers = {node} if type is ColumnType.NUMBER else set()
    found = scalar(node, {("r", name): row[name] for name in COLUMNS}, numbers)
    if type is ColumnType.TIMESTAMP and found is not None and not isinstance(found, datetime.datetime):
        return datetime.datetime.combine(found, datetime.time())
    return found


def by_engine(node: Expression, place: int, store: Prepared) -> Any:
    """The value that the engine's SQL gives on the prepared row."""
    statement = f'SELECT {inline(node).sql("duckdb")} FROM "spec/row" AS r WHERE _p = $person'
    ((found,),) = store.connection.execute(statement, {"person": str(place)}).fetchall()
    return found


@pytest.mark.parametrize(
    "place", range(len(VECTORS)), ids=[f"{name}-{place}" for place, (name, _) in enumerate(VECTORS)]
)
def test_each_vector_on_each_engine(place: int, store: Prepared) -> None:
    name, vector = VECTORS[place]
    node, type = expression(vector.call), result_type(vector.call)
    assert isinstance(node, Call)
    assert node.function == name, vector
    expected = value(plain(vector.result), type)
    assert same(reference(node, ROWS[place], type), expected), vector
    assert same(by_engine(node, place, store), expected), vector


def test_no_function_lacks_vectors_and_no_vectors_lack_a_function() -> None:
    assert set(vectors.VECTORS) == set(FUNCTIONS)
    assert all(row.vectors for row in FUNCTIONS.values())


def test_every_function_has_a_vector_with_a_missing_argument_and_numbers_one_with_infinity() -> None:
    missing, infinite = set(), set()
    for (name, vector), row in zip(VECTORS, ROWS, strict=True):
        if "" in [text.strip() for text in vector.arguments.split(";")]:
            missing.add(name)
        if any(isinstance(found, float) and math.isinf(found) for found in row.values()):
            infinite.add(name)
    assert missing == set(FUNCTIONS)
    numbers = {"add", "sub", "mul", "div", "int_div", "mod", "neg", "abs", "floor", "ceil", "round", "sign", "sqrt"}
    assert numbers | {"clamp", "band", "age_band", "to_integer", "to_number", "greatest", "least"} <= infinite


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_row_says_what_people_read(name: str) -> None:
    row = FUNCTIONS[name]
    assert row.meaning
    assert row.totality
    assert row.bounds
    assert row.example
    fewest, most = row.arity
    assert fewest >= 1
    assert most is None or most >= fewest


# -- between the vectors: every call of every vector, on rows drawn at random among awkward values

DRAWN = 300
PIECES = [
    "",
    "a",
    "AB",
    "%",
    "_",
    "é",
    "e\u0301",
    "𝒳",
    " ",
    ".",
    "-",
    "+",
    "019",
    "ß",
    "\\",
    "\t",
    "E11",
    "nan",
    "1e5",
    "٣",
]


def awkward(source: random.Random, type: str) -> Any:
    """One value, missing about once in twelve."""
    if source.random() < 1 / 12:
        return None
    if type == "integer":
        return source.choice([source.randint(-20, 20), source.randint(-(2**63), 2**63 - 1)])
    if type == "number":
        tame = source.randint(-(10**6), 10**6) / source.choice([1, 2, 1000])
        wild = [math.inf, -math.inf, 1e308, 5e-324, -0.0, 2.0**63, -(2.0**63), source.uniform(-1e18, 1e18)]
        return source.choice([tame, tame, source.choice(wild)])
    if type == "boolean":
        return source.random() < 0.5
    day = datetime.date.fromordinal(
        source.choice([1, 3652059, source.randint(1, 3652059), source.randint(730_000, 740_000)])
    )
    clock = datetime.time(source.choice([0, 12, 23]), source.choice([0, 59]), 59, source.choice([0, 999_999]))
    if type == "date":
        return day
    moment = datetime.datetime.combine(day, clock)
    if type == "timestamp":
        return moment
    dated = f"{source.choice([0, 4, 1900, 2020]):04}-{source.randint(0, 13):02}-{source.randint(0, 32):02}"
    number = f"{source.uniform(-(10.0 ** source.randint(0, 16)), 99):.{source.randint(0, 16)}f}"
    joined = "".join(source.choices(PIECES, k=source.randint(0, 4)))
    return source.choice(
        [joined, joined, dated, number, moment.isoformat(source.choice(" T"))[: source.choice([16, 19])]]
    )


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prepared, list[dict[str, Any]]]]:
    source = random.Random(20)
    rows = [
        {"person": place} | {name: awkward(source, type) for name, type in COLUMNS.items()} for place in range(DRAWN)
    ]
    with prepared(tmp_path_factory.mktemp("drawn"), catalogue(), {"row": rows}) as found:
        yield found, rows


@pytest.mark.parametrize("call", dict.fromkeys(vector.call for _, vector in VECTORS))
def test_each_call_on_rows_drawn_at_random(call: str, drawn: tuple[Prepared, list[dict[str, Any]]]) -> None:
    store, rows = drawn
    node, type = expression(call), result_type(call)
    statement = f'SELECT _p, {inline(node).sql("duckdb")} FROM "spec/row" AS r'
    found = dict(store.connection.execute(statement).fetchall())
    assert len(found) == DRAWN
    for row in rows:
        expected = reference(node, row, type)
        assert same(found[str(row["person"])], expected), row

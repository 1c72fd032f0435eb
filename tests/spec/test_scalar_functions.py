"""Scalar functions: what each gives for each kind of argument, on every engine.

A call is written over one row: integers ``i j``, numbers ``x y``, texts ``s t``, dates ``d e``, timestamps ``a b``,
booleans ``p q``. Its arguments are given in the order in which the columns first stand in the call, separated by
semicolons; nothing between them is a missing value. No call can fail: there is a result for every argument, because
an error would be a leak.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from node_agent.engines.sql import inline
from tests.lib.prepared import Prepared, prepared
from tests.lib.text_tables import read_table, value
from trustquery.catalogue import Catalogue, ColumnType, parse
from trustquery.language import compile_query
from trustquery.language.functions import FUNCTIONS
from trustquery.model import Call, Expression
from trustquery.model.facts import infer
from trustquery.model.scope import shape_of_table
from trustquery.reference.rank import ranked_rows
from trustquery.reference.scalars import scalar

COLUMNS = {"i": "integer", "j": "integer", "x": "number", "y": "number", "s": "text", "t": "text", "d": "date",
           "e": "date", "a": "timestamp", "b": "timestamp", "p": "boolean", "q": "boolean"}  # fmt: skip

# -- logic and comparison

LOGIC = """
| call              | arguments              | result |
|-------------------|------------------------|--------|
| p AND q           | true; true             | true   |
| p AND q           | true; false            | false  |
| p AND q           | true;                  |        |
| p AND q           | false;                 | false  |
| p AND q           | ;                      |        |
| p OR q            | false; false           | false  |
| p OR q            | false; true            | true   |
| p OR q            | true;                  | true   |
| p OR q            | false;                 |        |
| NOT p             | true                   | false  |
| NOT p             | false                  | true   |
| NOT p             |                        |        |
| p IS NULL         |                        | true   |
| p IS NULL         | false                  | false  |
| x IS NULL         | nan                    | true   |
| x IS NULL         | inf                    | false  |
| s IS NULL         | ''                     | false  |
| NOT (p IS NULL)   | true                   | true   |
"""

COMPARISON = """
| call              | arguments                                    | result |
|-------------------|----------------------------------------------|--------|
| i = j             | 3; 3                                         | true   |
| i = j             | 9007199254740993; 9007199254740992           | false  |
| i = j             | 3;                                           |        |
| i = x             | 3; 3.0                                       | true   |
| i = x             | 9007199254740993; 9007199254740992.0         | true   |
| x = y             | 0.0; -0.0                                    | true   |
| x = y             | inf; inf                                     | true   |
| x = y             | nan; nan                                     |        |
| s = t             | 'a'; 'a'                                     | true   |
| s = t             | 'a'; 'A'                                     | false  |
| s = t             | 'é'; 'e\u0301'                             | false  |
| s = t             | ''; 'a'                                      | false  |
| d = e             | 2020-02-29; 2020-02-29                       | true   |
| a = d             | 2020-02-29T00:00:00; 2020-02-29              | true   |
| a = d             | 2020-02-29T00:00:01; 2020-02-29              | false  |
| p = q             | true; false                                  | false  |
| i <> j            | 3; 4                                         | true   |
| i <> j            | 3;                                           |        |
| s <> t            | 'a'; 'b'                                     | true   |
| x < y             | -inf; -1e308                                 | true   |
| x < y             | inf; inf                                     | false  |
| x < y             | nan; 1                                       |        |
| x < y             | ; 1                                          |        |
| i < j             | -9223372036854775808; 9223372036854775807    | true   |
| s < t             | 'Z'; 'a'                                     | true   |
| s < t             | 'z'; 'é'                                     | true   |
| s < t             | ''; 'a'                                      | true   |
| d < e             | 2019-12-31; 2020-01-01                       | true   |
| a < d             | 2019-12-31T23:59:59.999999; 2020-01-01       | true   |
| p < q             | false; true                                  | true   |
| x <= y            | 1; 1                                         | true   |
| x <= y            | ; 1                                          |        |
| x > y             | 1; 0.9999999999999999                        | true   |
| x > y             | 1;                                           |        |
| i >= j            | 2; 3                                         | false  |
| i >= j            | 3; 3                                         | true   |
| i >= j            | ;                                            |        |
| i BETWEEN 1 AND 3 | 3                                            | true   |
| i BETWEEN 1 AND 3 | 4                                            | false  |
| i BETWEEN 1 AND 3 |                                              |        |
| i IN (1, 2)       | 2                                            | true   |
| i IN (1, 2)       | 3                                            | false  |
| i IN (1, 2)       |                                              |        |
| i IN (1, 2.5)     | 1                                            | true   |
| x IN (1, 2.5)     | 2.5                                          | true   |
| x IN (1, 2.5)     | nan                                          |        |
| x IN (1, 2.5)     | inf                                          | false  |
| s IN ('a', '')    | ''                                           | true   |
| d IN (DATE '2020-02-29') | 2020-02-29                            | true   |
| i IN (9007199254740991, 0.5) | 9007199254740993                  | false  |
"""

CHOICE = """
| call                                            | arguments         | result           |
|-------------------------------------------------|-------------------|------------------|
| CASE WHEN p THEN i ELSE j END                   | true; 1; 2        | 1                |
| CASE WHEN p THEN i ELSE j END                   | false; 1; 2       | 2                |
| CASE WHEN p THEN i ELSE j END                   | ; 1; 2            | 2                |
| CASE WHEN p THEN i END                          | false; 1          |                  |
| CASE WHEN p THEN 'a' WHEN q THEN 'b' ELSE s END | false; true; 'c'  | 'b'              |
| CASE WHEN p THEN 'a' WHEN q THEN 'b' ELSE s END | true; true; 'c'   | 'a'              |
| CASE i WHEN 1 THEN 'one' ELSE 'more' END        | 1                 | 'one'            |
| CASE i WHEN 1 THEN 'one' ELSE 'more' END        |                   | 'more'           |
| CASE WHEN p THEN i ELSE x END                   | true; 3; 0.5      | 3.0              |
| CASE WHEN p THEN i ELSE x END                   | true; 9007199254740993; 0.5 | 9007199254740992.0 |
| if(p, x, y)                                     | true; inf; 1      | inf              |
| nullif(i, 0)                                    | 0                 |                  |
| nullif(i, 0)                                    | 7                 | 7                |
| coalesce(i, j)                                  | ; 2               | 2                |
| coalesce(i, j)                                  | 1; 2              | 1                |
| coalesce(i, j)                                  | ;                 |                  |
| coalesce(x, 0)                                  | nan               | 0                |
| coalesce(x, 0)                                  | -inf              | -inf             |
| coalesce(s, 'none')                             |                   | 'none'           |
| coalesce(s, 'none')                             | ''                | ''               |
| coalesce(a, d)                                  | ; 2020-02-29      | 2020-02-29T00:00:00 |
"""

# -- numbers: IEEE doubles; NaN is a missing value

NUMBERS = """
| call            | arguments                               | result                  |
|-----------------|-----------------------------------------|-------------------------|
| x + y           | 1; 2                                    | 3                       |
| x + y           | 1;                                      |                         |
| x + y           | nan; 1                                  |                         |
| x + y           | 1e308; 1e308                            | inf                     |
| x + y           | inf; -inf                               |                         |
| i + j           | 9223372036854775807; 1                  | 9223372036854775808     |
| i + j           | 9007199254740992; 1                     | 9007199254740992        |
| x - y           | 1; 2                                    | -1                      |
| x - y           | -1e308; 1e308                           | -inf                    |
| x - y           | inf; inf                                |                         |
| i - j           | -9223372036854775808; 1                 | -9223372036854775808    |
| x - y           | ; 1                                     |                         |
| x * y           | 0.1; 3                                  | 0.30000000000000004     |
| x * y           | 1e200; 1e200                            | inf                     |
| x * y           | 0; inf                                  |                         |
| x * y           | 5e-324; 0.5                             | 0                       |
| i * j           | 9223372036854775807; 2                  | 18446744073709551616    |
| x * y           | ; 2                                     |                         |
| x / y           | 1; 3                                    | 0.3333333333333333      |
| i / j           | 1; 2                                    | 0.5                     |
| x / y           | 1; 0                                    |                         |
| x / y           | 0; 0                                    |                         |
| x / y           | 1; -0.0                                 |                         |
| x / y           | inf; inf                                |                         |
| x / y           | 1; inf                                  | 0                       |
| x / y           | 1e308; 1e-308                           | inf                     |
| x / y           | ; 1                                     |                         |
| -x              | 2.5                                     | -2.5                    |
| -x              | inf                                     | -inf                    |
| -i              | -9223372036854775808                    | 9223372036854775808     |
| -x              |                                         |                         |
| abs(x)          | -2.5                                    | 2.5                     |
| abs(x)          | -inf                                    | inf                     |
| abs(i)          | -9223372036854775808                    | 9223372036854775808     |
| abs(x)          | nan                                     |                         |
| abs(x)          |                                         |                         |
| floor(x)        | 2.7                                     | 2                       |
| floor(x)        | -0.5                                    | -1                      |
| floor(x)        | inf                                     | inf                     |
| floor(x)        |                                         |                         |
| clamp(x, 0, 10) | 11                                      | 10                      |
| clamp(x, 0, 10) | -0.5                                    | 0                       |
| clamp(x, 0, 10) | 9.75                                    | 9.75                    |
| clamp(x, 0, 10) | inf                                     | 10                      |
| clamp(x, 0, 10) | -inf                                    | 0                       |
| clamp(x, 0, 10) | nan                                     |                         |
| clamp(x, 0, 10) |                                         |                         |
| clamp(i, 0, 10) | 9223372036854775807                     | 10                      |
| clamp(x, 0.1, 0.30000000000000004) | 1                    | 0.30000000000000004     |
| x * 0.12345678901234567 | 1                               | 0.12345678901234567     |
"""

BANDS = """
| call            | arguments            | result  |
|-----------------|----------------------|---------|
| band(x, 18, 65) | 17.999               | '<18'   |
| band(x, 18, 65) | 18                   | '18-64' |
| band(x, 18, 65) | 64.999               | '18-64' |
| band(x, 18, 65) | 65                   | '65+'   |
| band(x, 18, 65) | inf                  | '65+'   |
| band(x, 18, 65) | -inf                 | '<18'   |
| band(x, 18, 65) | nan                  |         |
| band(x, 18, 65) |                      |         |
| band(i, 0)      | -9223372036854775808 | '<0'    |
| band(i, -1, 0)  | -1                   | '-1'    |
| age_band(i)     | -1                   |         |
| age_band(i)     | 0                    | '0-4'   |
| age_band(i)     | 4                    | '0-4'   |
| age_band(x)     | 4.999                | '0-4'   |
| age_band(i)     | 5                    | '5-9'   |
| age_band(i)     | 89                   | '85-89' |
| age_band(i)     | 90                   | '90+'   |
| age_band(i)     | 120                  | '90+'   |
| age_band(x)     | inf                  | '90+'   |
| age_band(x)     | -inf                 |         |
| age_band(x)     | -0.0                 | '0-4'   |
| age_band(x)     | nan                  |         |
| age_band(i)     |                      |         |
"""

# -- dates and times: local, without a zone

DATES = """
| call                     | arguments                    | result     |
|--------------------------|------------------------------|------------|
| year(d)                  | 2020-02-29                   | 2020       |
| year(a)                  | 1969-12-31T23:59:59.999999   | 1969       |
| year(d)                  | 0001-01-01                   | 1          |
| year(d)                  | 9999-12-31                   | 9999       |
| year(d)                  |                              |            |
| quarter(d)               | 2020-03-31                   | 1          |
| quarter(d)               | 2020-04-01                   | 2          |
| quarter(a)               |                              |            |
| month(d)                 | 2020-12-31                   | 12         |
| month(d)                 |                              |            |
| day(d)                   | 2020-02-29                   | 29         |
| day(d)                   |                              |            |
| isodow(d)                | 2021-01-03                   | 7          |
| isodow(d)                | 2021-01-04                   | 1          |
| isodow(d)                |                              |            |
| hour(a)                  | 2020-01-01T23:59:59          | 23         |
| hour(a)                  | 2020-01-01T00:00:00          | 0          |
| hour(a)                  | 1969-12-31T22:00:00          | 22         |
| hour(coalesce(a, d))     | ; 2020-01-01                 | 0          |
| hour(a)                  |                              |            |
| date_trunc('year', d)    | 2020-12-31                   | 2020-01-01 |
| date_trunc('quarter', d) | 2020-12-31                   | 2020-10-01 |
| date_trunc('month', d)   | 2020-02-29                   | 2020-02-01 |
| date_trunc('week', d)    | 2021-01-03                   | 2020-12-28 |
| date_trunc('week', d)    | 2021-01-04                   | 2021-01-04 |
| date_trunc('week', d)    | 0001-01-07                   | 0001-01-01 |
| date_trunc('day', a)     | 2020-02-29T23:59:59.999999   | 2020-02-29 |
| date_trunc('day', a)     | 1969-12-31T00:00:00.000001   | 1969-12-31 |
| date_trunc('month', d)   |                              |            |
| CAST(a AS DATE)          | 2020-02-29T23:59:59          | 2020-02-29 |
| CAST(a AS DATE)          | 1969-12-31T23:59:59.999999   | 1969-12-31 |
| CAST(a AS DATE)          |                              |            |
| CAST(d AS DATE)          | 2020-02-29                   | 2020-02-29 |
| date_diff('day', d, e)   | 2020-02-28; 2020-03-01       | 2          |
| date_diff('day', d, e)   | 2020-03-01; 2020-02-28       | -2         |
| date_diff('day', a, b)   | 2020-01-01T23:59:59; 2020-01-02T00:00:00 | 1 |
| date_diff('day', a, b)   | 2020-01-01T00:00:00; 2020-01-01T23:59:59 | 0 |
| date_diff('day', d, a)   | 2020-01-01; 2020-01-01T23:59:59 | 0       |
| date_diff('day', d, e)   | 0001-01-01; 9999-12-31       | 3652058    |
| date_diff('day', d, e)   | 2020-01-01;                  |            |
| date_diff('hour', a, b)  | 2020-01-01T00:59:59; 2020-01-01T01:00:00 | 1 |
| date_diff('hour', a, b)  | 1969-12-31T23:30:00; 1970-01-01T00:30:00 | 1 |
| date_diff('hour', a, b)  | 1969-12-31T22:30:00; 1969-12-31T23:30:00 | 1 |
| date_diff('minute', a, b) | 1969-12-31T23:59:30; 1970-01-01T00:00:30 | 1 |
| date_diff('minute', a, b) | 2020-02-28T23:59:00; 2020-02-29T00:01:00 | 2 |
| date_diff('minute', a, b) | ; 2020-02-29T00:01:00        |            |
"""

TEXTS = """
| call                  | arguments | result |
|-----------------------|-----------|--------|
| starts_with(s, 'E11') | 'E112'    | true   |
| starts_with(s, 'E11') | 'E1'      | false  |
| starts_with(s, 'E11') | 'e112'    | false  |
| starts_with(s, '')    | ''        | true   |
| starts_with(s, 'é')   | 'été'     | true   |
| starts_with(s, '%')   | 'a'       | false  |
| starts_with(s, 'E11') |           |        |
| left(s, 3)            | 'E112'    | 'E11'  |
| left(s, 3)            | 'E1'      | 'E1'   |
| left(s, 1)            | ''        | ''     |
| left(s, 1)            | 'été'     | 'é'    |
| left(s, 1)            | '𝒳y'      | '𝒳'    |
| left(s, 1)            |           |        |
"""

VECTORS = [row for text in (LOGIC, COMPARISON, CHOICE, NUMBERS, BANDS, DATES, TEXTS) for row in read_table(text)]


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


def arguments(vector: dict[str, str]) -> dict[str, Any]:
    """A row that holds the vector's arguments."""
    named = re.sub(r"'[^']*'", "", vector["call"])
    columns = list(dict.fromkeys(word for word in re.findall(r"\b[a-z]+\b", named) if word in COLUMNS))
    given = [text.strip() for text in vector["arguments"].split(";")]
    assert len(given) == len(columns), vector
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    return row | {name: value(text, ColumnType(COLUMNS[name])) for name, text in zip(columns, given, strict=True)}


ROWS = [{"person": place, **arguments(vector)} for place, vector in enumerate(VECTORS)]


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


def by_reference(node: Expression, place: int, type: ColumnType) -> Any:
    """The plain evaluator's value, as its static type: a date among timestamps is its midnight."""
    (row,) = ranked_rows([ROWS[place]], catalogue().tables[0], rank_key=bytes(32), data_version=1)
    numbers = {node} if type is ColumnType.NUMBER else set()
    found = scalar(node, {("r", name): row[name] for name in COLUMNS}, numbers)
    if type is ColumnType.TIMESTAMP and not isinstance(found, datetime.datetime):
        return datetime.datetime.combine(found, datetime.time())
    return found


def by_engine(node: Expression, place: int, store: Prepared) -> Any:
    """The value that the engine's SQL gives on the prepared row."""
    statement = f'SELECT {inline(node).sql("duckdb")} FROM "spec/row" AS r WHERE _p = $person'
    ((found,),) = store.connection.execute(statement, {"person": str(place)}).fetchall()
    return found


@pytest.mark.parametrize("place", range(len(VECTORS)))
def test_each_vector_on_each_engine(place: int, store: Prepared) -> None:
    vector = VECTORS[place]
    node, type = expression(vector["call"]), result_type(vector["call"])
    expected = value(vector["result"], type)
    assert same(by_reference(node, place, type), expected), vector
    assert same(by_engine(node, place, store), expected), vector


def outermost(call: str) -> str:
    """The table's name of a call's outermost function."""
    node = expression(call)
    assert isinstance(node, Call)
    return node.function


def test_no_function_lacks_vectors() -> None:
    assert {outermost(vector["call"]) for vector in VECTORS} == set(FUNCTIONS)


def test_every_function_has_a_vector_with_a_missing_argument_and_numbers_one_with_infinity() -> None:
    missing, infinite = set(), set()
    for vector, row in zip(VECTORS, ROWS, strict=True):
        given = [text.strip() for text in vector["arguments"].split(";")]
        if "" in given:
            missing.add(outermost(vector["call"]))
        if any(isinstance(found, float) and math.isinf(found) for found in row.values()):
            infinite.add(outermost(vector["call"]))
    assert missing == set(FUNCTIONS)
    assert {"add", "sub", "mul", "div", "neg", "abs", "floor", "clamp", "band", "age_band"} <= infinite


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_row_says_what_people_read(name: str) -> None:
    row = FUNCTIONS[name]
    assert row.meaning
    assert row.totality
    fewest, most = row.arity
    assert fewest >= 1
    assert most is None or most >= fewest

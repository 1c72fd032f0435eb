"""Parameters: always a literal, whatever their characters; every way to give too many, too few or the wrong ones."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.catalogues import made_up
from tests.lib.refusals import refusal
from trustquery.errors import TrustQueryError
from trustquery.language import compile_query
from trustquery.language.parameters import MAX_VALUES, read_parameters, write_parameters
from trustquery.model import Call, Literal, Query

PERSON = "SELECT count(*) AS n FROM event WHERE "
HOSTILE = [
    "' OR 1=1 --",
    "'; DROP TABLE event; --",
    'a"b',
    "/* x */",
    "*/",
    "-- end",
    "$x",
    "$$",
    "${x}",
    "?",
    ":x",
    "\\'",
    "\\",
    "''",
    "%s",
    "{0}",
    "NULL",
    "TRUE",
    "code",
    "event.code",
    "(SELECT 1)",
    "ſ",
    "🩺",
]


def compiled(sql: str, **parameters: Any) -> Query:
    return compile_query(sql, made_up(), epsilon=Decimal("0.5"), parameters=parameters)


def literals(query: Query) -> list[object]:
    """Values of the literals of the WHERE clause, in order."""
    found: list[object] = []

    def walk(node: object) -> None:
        if isinstance(node, Literal):
            found.append(node.value)
        elif isinstance(node, Call):
            for argument in node.arguments:
                walk(argument)

    walk(query.relation.predicate)  # type: ignore[union-attr]
    return found


def told(sql: str, **parameters: Any) -> list[tuple[str, str]]:
    """Code and place of every problem."""
    error = refusal(lambda: compiled(sql, **parameters))
    assert error is not None
    assert all(problem.reason and problem.fix for problem in error.problems)
    return [(problem.code, problem.place) for problem in error.problems]


@pytest.mark.parametrize(
    ("written", "meant", "value"),
    [
        ("kind = $x", "kind = 1", 1),
        ("kind = $x", "kind = -3", -3),
        ("kind = -$x", "kind = -2", 2),
        ("kind > $x + 1", "kind > 1 + 1", 1),
        ("amount > $x", "amount > 1.50", Decimal("1.50")),
        ("amount > $x", "amount > -0.5", Decimal("-0.5")),
        ("amount > $x", "amount > 1000", Decimal("1E+3")),
        ("code = $x", "code = 'A'", "A"),
        ("code = $x", "code = ''", ""),
        ("code = $x", "code = 'it''s'", "it's"),
        ("(code = 'A') = $x", "(code = 'A') = TRUE", True),
        ("(code = 'A') = $x", "(code = 'A') = FALSE", False),
        ("joined >= $x", "joined >= DATE '2018-02-28'", datetime.date(2018, 2, 28)),
        ("CAST($x AS DATE) <= joined", "DATE '2018-02-28' <= joined", "2018-02-28"),
        ("seen >= $x", "seen >= TIMESTAMP '2018-02-28T10:00:00'", datetime.datetime(2018, 2, 28, 10)),
        ("kind IN ($x)", "kind IN (1, 2, -3)", [1, 2, -3]),
        ("kind IN ($x)", "kind IN (1)", [1]),
        ("kind IN ($x)", "kind IN (1)", 1),
        ("kind IN (5,$x,6)", "kind IN (5, 1, 2, 6)", (1, 2)),
        ("kind NOT IN ($x)", "kind NOT IN (1, 2)", {2, 1}),
        ("code IN ($x) OR code = 'x'", "code IN ('a', 'b') OR code = 'x'", ["a", "b"]),
        ("kind BETWEEN $x AND 5", "kind BETWEEN 1 AND 5", 1),
        ("clamp(amount, 0, $x) > 1", "clamp(amount, 0, 9) > 1", 9),
        ("CASE WHEN kind = $x THEN TRUE END", "CASE WHEN kind = 1 THEN TRUE END", 1),
        ("kind=$X AND $x<kind", "kind = 1 AND 1 < kind", 1),
    ],
)
def test_a_parameter_is_the_literal_in_its_place(written: str, meant: str, value: object) -> None:
    table = "person" if "joined" in written or "seen" in written else "event"
    start = f"SELECT count(*) AS n FROM {table} WHERE "
    assert compiled(start + written, x=value).sha256 == compiled(start + meant).sha256


def test_names_beside_each_other_are_not_a_quotation() -> None:
    """DuckDB reads ``$a,$ … $a,$`` as text between tags; here there is one way to write text."""
    found = compiled(PERSON + "kind IN ($a,$b,$a,$select,$date)", a=1, b=2, select=3, date=4)
    assert literals(found) == [1, 2, 1, 3, 4]


def test_everywhere_else_where_a_literal_may_stand() -> None:
    sql = (
        "WITH e AS (SELECT pid, kind FROM event WHERE kind > $low) "
        "SELECT CASE WHEN kind = $one THEN $yes ELSE $no END AS k, count(*) FILTER (WHERE kind < $high) AS n, "
        "sum(clamp(kind, $low, $high)) AS s FROM e WHERE EXISTS (SELECT 1 FROM event f WHERE f.pid = e.pid AND "
        "f.kind = $one) GROUP BY CASE WHEN kind = $one THEN $yes ELSE $no END"
    )
    values = {"low": 0, "high": 9, "one": 1, "yes": "y", "no": "n"}
    plain = sql
    for name, value in values.items():
        plain = plain.replace(f"${name}", f"'{value}'" if isinstance(value, str) else str(value))
    assert compiled(sql, **values).sha256 == compiled(plain).sha256


# -- injection -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_one_literal(text: str) -> None:
    assert literals(compiled(PERSON + "code = $x AND kind = 1", x=text)) == [text, 1]
    assert literals(compiled(PERSON + "code IN ($x) AND kind = 1", x=[text, "b"])) == [text, "b", 1]


@pytest.mark.parametrize("text", ["a\0b", "\n", "\x1b[31m", "\u202e", "x" * 201, "x" * 10_001])
def test_a_text_that_no_literal_holds_is_refused(text: str) -> None:
    (code, place), *rest = told(PERSON + "code = $x", x=text)
    assert not rest
    assert (code, place) in [("query-literal", "line 1, column 46"), ("query-parameter-invalid", "parameter x")]
    assert literals(compiled(PERSON + "code = $x", x="x" * 200)) == ["x" * 200]


@given(st.text(max_size=250))
def test_any_text_is_one_literal_or_refused(text: str) -> None:
    sql = PERSON + "kind = 2 AND code = $x AND kind = 3"
    found: list[Query] = []
    error = refusal(lambda: found.append(compiled(sql, x=text)))
    if error is None:
        assert literals(found[0]) == [2, text, 3]
    else:
        assert error.code == "query-literal"
        assert len(text) > 200 or not text.isprintable()


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("SELECT count(*) FROM $x", "line 1, column 22"),
        ("SELECT count(*) FROM event AS $x", "line 1, column 31"),
        ("SELECT count(*) AS $x FROM event", "line 1, column 20"),
        ("SELECT $x(kind) FROM event", "line 1, column 8"),
        ("SELECT count(*) FROM event WHERE event.$x = 1", "line 1, column 40"),
        ("SELECT count(*) FROM event WHERE $x.kind = 1", "line 1, column 34"),
        ("SELECT count(*) FROM event GROUP BY $x", "line 1, column 37"),
        ("SELECT count(*) FROM event ORDER BY $x", "line 1, column 37"),
        ("SELECT count(*) FROM event WHERE date_trunc($x, DATE '2018-01-01') = DATE '2018-01-01'", "line 1, column 45"),
        ("SELECT count(*) FROM event WHERE extract($x FROM DATE '2018-01-01') = 1", "line 1, column 42"),
        ("WITH $x AS (SELECT pid FROM event) SELECT count(*) FROM event", "line 1, column 6"),
    ],
)
@pytest.mark.parametrize("value", ["event", "pid", 1])
def test_a_parameter_is_never_a_name(sql: str, place: str, value: object) -> None:
    assert told(sql, x=value) == [("query-parameter-place", place)]


def test_a_written_name_cannot_pass_for_a_parameter() -> None:
    for sql in (PERSON + '"$x" = 1', PERSON + 'event."$x" = 1'):
        assert told(sql) == [("query-name-illegal", f"line 1, column {sql.index(chr(34)) + 1}")]
        assert ("query-parameter-unused", "") in told(sql, x=1) or told(sql, x=1)[0][0] == "query-name-illegal"


# -- too many, too few, wrong --------------------------------------------------------------------------------------


def test_missing_and_unused_are_told_together() -> None:
    sql = PERSON + "kind = $kind\n  AND code = $cod AND code <> $cod"
    assert told(sql, code="A") == [
        ("query-parameter-unused", ""),
        ("query-parameter-missing", "line 1, column 46"),
        ("query-parameter-missing", "line 2, column 14"),
    ]
    error = refusal(lambda: compiled(sql, code="A", kind=1))
    assert error is not None
    assert error.problem.fields == {"name": "code", "nearest": "cod"}


def test_a_value_for_a_query_without_parameters_is_unused() -> None:
    assert told(PERSON + "code = '$x'", x=1) == [("query-parameter-unused", "")]
    assert told(PERSON + "kind = 1 -- $x", x=1) == [("query-parameter-unused", "")]
    assert literals(compiled(PERSON + "code = '$x' -- $y")) == ["$x"]


@pytest.mark.parametrize(
    ("sql", "form", "column"),
    [("kind = ?", "?", 46), ("kind = :x", ":x", 46), ("kind = $1", "$ here", 46), ("code = $ x", "$ here", 46),
     ("code = $", "$ here", 46), ("code = $'x'", "$ here", 46),
     ('code = $"x"', "$ here", 46)],
)  # fmt: skip
def test_other_ways_to_write_a_parameter_are_told_the_one(sql: str, form: str, column: int) -> None:
    error = refusal(lambda: compiled(PERSON + sql, x=1))
    assert error is not None
    assert error.code == "query-form-unsupported"
    assert error.problem.fields["form"] == form
    assert error.problem.place == f"line 1, column {column}"
    assert "$name" in error.problem.fix


@pytest.mark.parametrize(
    "value",
    [None, 1.5, b"x", object(), [[1]], [], [None], Decimal("NaN"), Decimal("Infinity"), Decimal("1E+400"), 10**60,
     datetime.datetime(2018, 1, 1, tzinfo=datetime.UTC), datetime.time(1), list(range(MAX_VALUES + 1)), {"a": 1}],
)  # fmt: skip
def test_values_that_are_no_literals(value: object) -> None:
    assert told(PERSON + "kind IN ($x)", x=value) == [("query-parameter-invalid", "parameter x")]


def test_a_number_beyond_a_literal_s_is_refused_in_its_place() -> None:
    assert told(PERSON + "kind = $x", x=2**53) == [("query-literal", "line 1, column 46")]
    assert told(PERSON + "kind = $x", x=Decimal("1E-30")) == [("query-literal", "line 1, column 46")]


def test_a_list_stands_in_in_only() -> None:
    assert told(PERSON + "kind = $x", x=[1, 2]) == [("query-parameter-invalid", "line 1, column 46")]
    assert told(PERSON + "kind IN $x", x=[1, 2]) == [("query-parameter-invalid", "line 1, column 47")]
    assert told(PERSON + "coalesce(kind, $x) = 1", x=[1]) == [("query-parameter-invalid", "line 1, column 54")]


def test_wrong_types_and_sizes_have_their_place() -> None:
    assert told(PERSON + "code = $x", x=1)[0][0] == "query-type"
    assert len(literals(compiled(PERSON + "kind IN ($x)", x=list(range(MAX_VALUES))))) == MAX_VALUES
    error = refusal(lambda: compile_query(PERSON + "kind = 1", made_up(), epsilon=Decimal(1), parameters={"a b": 1}))
    assert error is not None
    assert error.code == "query-parameter-invalid"
    many = {f"p{n}": n for n in range(201)}
    assert told(PERSON + "kind = 1", **many) == [("query-parameter-invalid", "parameter …")]


# -- as data -------------------------------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9),
    st.text(max_size=50),
    st.dates(),
    st.datetimes(),
)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True), SCALARS | st.lists(SCALARS, min_size=1)))
def test_values_travel_and_come_back(values: dict[str, Any]) -> None:
    written: list[dict[str, Any]] = []
    if error := refusal(lambda: written.append(write_parameters(values))):
        assert error.code == "query-parameter-invalid"
        return
    back = read_parameters(json.loads(json.dumps(written[0])))
    assert back == values
    assert [type(item) for item in back.values()] == [type(item) for item in values.values()]


@pytest.mark.parametrize(
    "data",
    [
        None, [], {"x": 1}, {"x": {}}, {"x": {"type": "integer"}}, {"x": {"type": "integer", "value": 1}},
        {"x": {"type": "integer", "value": "1", "more": 1}}, {"x": {"type": "integer", "value": "1.5"}},
        {"x": {"type": "number", "value": "NaN"}}, {"x": {"type": "number", "value": "1" * 100}},
        {"x": {"type": "boolean", "value": "true"}}, {"x": {"type": "sql", "value": "1"}},
        {"x": {"type": "date", "value": "2018-02-30"}}, {"x": {"type": "date", "value": "x"}},
        {"x": {"type": "timestamp", "value": "2018-01-01T00:00:00+01:00"}}, {"X": {"type": "text", "value": "x"}},
        {"x": []}, {"x": [[{"type": "text", "value": "x"}]]}, {"x": {"type": ["text"], "value": "x"}},
    ],
)  # fmt: skip
def test_data_are_read_strictly(data: object) -> None:
    with pytest.raises(TrustQueryError) as caught:
        read_parameters(data)
    assert caught.value.code == "query-parameter-invalid"

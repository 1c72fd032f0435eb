"""Texts that are too long, too deep, empty, or more than one statement: refused quickly, whatever they hold."""

from __future__ import annotations

import time
import unicodedata
from decimal import Decimal

import pytest

from node_agent.engines.blocks import block_queries
from node_agent.engines.rows import rows_query
from tests.factories.catalogues import made_up
from tests.lib.refusals import code_of, refusal
from trustquery.errors.exceptions import MAX_PROBLEMS
from trustquery.language import compile_query
from trustquery.language.parse import MAX_BYTES, MAX_DEPTH, parse
from trustquery.model import Query
from trustquery.model.nodes import MAX_DEPTH as MAX_CALLS
from trustquery.model.query import MAX_PARTS
from trustquery.model.relations import MAX_SCANS
from trustquery.planning import compile_plan
from trustquery.planning.checker import pinned_tables

# Processor time: a guard against text that runs away, not a measurement (a benchmark is for that).
SECONDS = 0.5
COUNT = "SELECT count(*) FROM event"


def compiled(sql: str) -> Query:
    return compile_query(sql, made_up(), epsilon=Decimal(1))


def code(sql: str) -> str:
    return code_of(lambda: compiled(sql))


def quickest(sql: str) -> float:
    """Seconds of the quickest of five attempts: other processes share the machine."""
    found = []
    for _ in range(5):
        started = time.process_time()
        code(sql)
        found.append(time.process_time() - started)
    return min(found)


LONG = {
    "a query of 1 MB": COUNT + " WHERE " + "flag AND " * 120_000 + "flag",
    "1 MB of spaces": " " * (1 << 20),
    "1 MB of comment": "--" + "x" * (1 << 20),
    "a name of 1 MB": f"SELECT count(*) FROM {'e' * (1 << 20)}",
    "a text literal of 1 MB": f"{COUNT} WHERE code = '{'e' * (1 << 20)}'",
    "1 MB of non-ASCII text": "é" * (1 << 19),
    "bytes, not characters": "é" * (MAX_BYTES // 2 + 1),
    "one byte too many": " " * (MAX_BYTES + 1),
    "5,000 ORs": COUNT + " WHERE " + " OR ".join(["kind = 1"] * 5_000),
    "10,000 CASEs": COUNT + " WHERE kind = " + "CASE WHEN true THEN " * 10_000 + "1" + " END" * 10_000,
    "10,001 words": COUNT + " WHERE " + "flag " * 10_001,
    "5,000 parentheses": COUNT + " WHERE " + "(" * 5_000 + "true" + ")" * 5_000,
    "20,000 semicolons": ";" * 20_000,
}
DEEP = {
    "one parenthesis too many": COUNT + " WHERE " + "(" * (MAX_DEPTH + 1) + "true" + ")" * (MAX_DEPTH + 1),
    "4,000 parentheses": COUNT + " WHERE " + "(" * 4_000 + "true" + ")" * 4_000,
    "4,000 open parentheses": "(" * 4_000,
    "2,000 CASEs": COUNT + " WHERE kind = " + "CASE WHEN true THEN " * 2_000 + "1" + " END" * 2_000,
    "4,000 brackets": COUNT + " WHERE " + "[" * 4_000,
    "4,000 braces": COUNT + " WHERE " + "{" * 4_000,
    "5,000 NOTs": COUNT + " WHERE " + "NOT " * 5_000 + "true",
    "300 NOTs": COUNT + " WHERE " + "NOT " * 300 + "true",
    "one call too many": COUNT + " WHERE " + "NOT " * (MAX_CALLS + 1) + "flag",
    "5,000 minus signs": COUNT + " WHERE amount = " + "- " * 5_000 + "1",
    "100 pluses": COUNT + " WHERE amount = " + " + ".join(["1"] * 100),
    "subqueries in subqueries": "SELECT count(*) FROM " + "(SELECT * FROM " * 200 + "event" + ")" * 200,
}
WIDE = {
    "columns": "SELECT " + ", ".join(["count(*)"] * (MAX_PARTS + 1)) + " FROM event",
    "keys": COUNT + " GROUP BY " + ", ".join(["kind"] * (MAX_PARTS + 1)),
    "statistics": "SELECT " + ", ".join(f"avg(clamp(cost, 0, {n + 1}))" for n in range(MAX_PARTS)) + " FROM event",
    "tables": COUNT + " e" + "".join(f" JOIN dose d{n} ON e.pid = d{n}.pid" for n in range(MAX_SCANS)),
}


@pytest.mark.parametrize("sql", LONG.values(), ids=LONG)
def test_too_long(sql: str) -> None:
    assert code(sql) in ("query-too-long", "query-empty", "query-text-after-statement")
    # A text within the limit of bytes has to be cut into words before they can be counted.
    assert quickest(sql) < (SECONDS if len(sql) > MAX_BYTES else 4 * SECONDS)


@pytest.mark.parametrize("sql", DEEP.values(), ids=DEEP)
def test_too_deep(sql: str) -> None:
    error = refusal(lambda: compiled(sql))
    assert error is not None
    assert error.code in ("query-too-deep", "query-too-long", "query-syntax")
    if error.code == "query-too-deep":
        assert error.problem.place.startswith("line 1, column ")
    assert quickest(sql) < 4 * SECONDS  # the parser itself gives up at its own depth, after reading the text


@pytest.mark.parametrize("sql", WIDE.values(), ids=WIDE)
def test_too_wide(sql: str) -> None:
    error = refusal(lambda: compiled(sql))
    assert error is not None
    assert error.code == "query-form-unsupported"
    assert error.problem.fix
    assert quickest(sql) < 4 * SECONDS


WITHIN = {
    "parentheses": COUNT + " WHERE " + "(" * MAX_DEPTH + "flag" + ")" * MAX_DEPTH,
    "calls": COUNT + " WHERE " + "NOT " * MAX_CALLS + "flag",
    "sums": COUNT + " WHERE amount = " + " + ".join(["cost"] * MAX_CALLS),
    "statistics": "SELECT "
    + ", ".join(f"count(*) FILTER (WHERE kind = {n})" for n in range(MAX_PARTS))
    + " FROM event",
    "tables": COUNT + " e" + "".join(f" JOIN dose d{n} ON e.pid = d{n}.pid" for n in range(MAX_SCANS - 1)),
    "ORs": COUNT + " WHERE " + " OR ".join(f"kind = {n}" for n in range(1_000)),
    "literals": COUNT + f" WHERE kind IN ({', '.join(map(str, range(2_000)))})",
    "text": COUNT + f" WHERE code = '{'x' * 200}'",
    "bytes": " " * (MAX_BYTES - len(COUNT)) + COUNT,
}


@pytest.mark.parametrize("sql", WITHIN.values(), ids=WITHIN)
def test_what_is_just_within_a_limit_has_bytes_a_plan_and_sql_for_the_engine(sql: str) -> None:
    query = compiled(sql)
    assert Query.from_payload(query.payload()) == query
    plan = compile_plan(query, made_up())
    assert rows_query(query, pinned_tables(query, made_up()))
    assert len(block_queries(query, plan)) == len(plan.blocks)


@pytest.mark.parametrize("sql", ["", " ", "\n\t", "-- nothing", "/* nothing */", ";", " ; ", "-- a\n-- b\n"])
def test_empty(sql: str) -> None:
    assert code(sql) == "query-empty"


AFTER = [
    (f"{COUNT}; SELECT 1", "line 1, column 29"),
    (f"{COUNT};;", "line 1, column 28"),
    (f"{COUNT};\nDROP TABLE event", "line 2, column 1"),
    (f"{COUNT}; x", "line 1, column 29"),
    (f"{COUNT} ; ATTACH 'x'", "line 1, column 30"),
]


@pytest.mark.parametrize(("sql", "place"), AFTER)
def test_text_after_the_statement(sql: str, place: str) -> None:
    error = refusal(lambda: compiled(sql))
    assert error is not None
    assert (error.code, error.problem.place) == ("query-text-after-statement", place)


@pytest.mark.parametrize(
    "sql", [f"{COUNT};", f"{COUNT} ; ", f"{COUNT}; -- done", f"{COUNT}; /* done */", f"-- do\n{COUNT}"]
)
def test_one_semicolon_and_comments_are_no_text(sql: str) -> None:
    assert compiled(sql) == compiled(COUNT)


@pytest.mark.acceptance("INP-10")
@pytest.mark.parametrize(
    "sql", ["\0", f"{COUNT}\0", f"{COUNT} WHERE code = 'a\0b'", "SELECT\0count(*) FROM event", f"{COUNT} --\0"]
)
def test_nul_is_never_read(sql: str) -> None:
    error = refusal(lambda: compiled(sql))
    assert error is not None
    assert error.code == "query-syntax"
    assert error.problem.place == f"line 1, column {sql.index(chr(0)) + 1}"


@pytest.mark.acceptance("INP-10")
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_name_of_1_mb_is_refused(quote: str) -> None:
    name = quote + "e" * (1 << 20) + quote
    assert code(f"SELECT count(*) FROM {name}") == "query-too-long"
    longest = quote + "e" * 60_000 + quote
    assert code(f"SELECT count(*) FROM {longest}") == "query-name-illegal"
    for length, expected in ((63, "query-unknown-table"), (64, "query-name-illegal")):
        assert code(f"SELECT count(*) FROM {quote}{'e' * length}{quote}") == expected


@pytest.mark.acceptance("INP-10")
def test_no_letter_mark_digit_or_format_character_outside_ascii_can_stand_in_a_name() -> None:
    """Bare and in quotes, confusables and right-to-left marks among them; ideographs stand for themselves."""
    kinds = ("Lu", "Ll", "Lt", "Lm", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Cf")
    odd = [chr(n) for n in range(128, 0x110000) if unicodedata.category(chr(n)) in kinds]
    odd += [chr(n) for n in range(128, 0x3100) if unicodedata.category(chr(n)) == "Lo"]
    assert len(odd) > 10_000
    each = MAX_PROBLEMS // 2
    for place in range(0, len(odd), each):
        names = [f'ev{character}ent + "ev{character}ent"' for character in odd[place : place + each]]
        error = refusal(lambda names=names: parse(" + ".join(["SELECT 1", *names])))
        assert error is not None
        assert {problem.code for problem in error.problems} == {"query-name-illegal"}
        assert len(error.problems) == 2 * len(names)


def test_no_more_problems_are_reported_than_people_read() -> None:
    text = "SELECT " + "é " * 3_400
    error = refusal(lambda: compiled(text))
    assert error is not None
    assert len(error.problems) == MAX_PROBLEMS
    assert quickest(text) < 4 * SECONDS


def test_several_problems_are_reported_together_in_order_of_place() -> None:
    error = refusal(
        lambda: compiled(
            "SELECT kindd, sum(cost), count(DISTINCT kind)\n"
            "FROM event e\n"
            "WHERE pid = 5 AND amont > 1 AND foo(1) = 2\n"
            "GROUP BY code\n"
            "LIMIT 5"
        )
    )
    assert error is not None
    found = [(problem.place, problem.code) for problem in error.problems]
    # The SELECT list and WHERE are read as far as they can be; what WHERE is good for is not known when it is wrong.
    assert found == [
        ("line 3, column 19", "query-unknown-column"),
        ("line 3, column 33", "query-unknown-function"),
    ]
    error = refusal(
        lambda: compiled(
            "SELECT kindd, sum(cost),\n"
            "  count(DISTINCT kind), avg(pid)\n"
            "FROM event e\n"
            "WHERE amount > 1\n"
            "GROUP BY code, kind"
        )
    )
    assert error is not None
    found = [(problem.place, problem.code) for problem in error.problems]
    assert found == [
        ("line 1, column 8", "query-unknown-column"),
        ("line 1, column 19", "query-bounds-missing"),
        ("line 2, column 3", "query-form-unsupported"),
        ("line 2, column 29", "query-column-forbidden"),
        ("line 5, column 10", "query-key-no-domain"),
    ]


def test_the_same_problem_is_reported_once() -> None:
    error = refusal(lambda: compiled("SELECT code, count(*) FROM event GROUP BY code"))
    assert error is not None
    assert len(error.problems) == 1

"""INP-04, INP-05, INP-10: statements that must be refused for ever, each with its code, its place, in time, unseen by
any engine. They are data, in hostile_statements.toml beside this file.
"""

from __future__ import annotations

import re
import socket
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

import node_agent.engines.rows
from node_agent.engines.blocks import block_queries
from node_agent.engines.routes import routes
from node_agent.engines.rows import rows_query
from node_agent.engines.sql import DIALECT, literal
from tests.factories.catalogues import made_up
from tests.lib.refusals import refusal
from tests.security.spy import Spy, watched
from trustquery.catalogue import ColumnType
from trustquery.errors import TrustQueryError
from trustquery.language import compile_query
from trustquery.planning import compile_plan
from trustquery.planning.checker import pinned_tables

CLASSES: dict[str, Any] = tomllib.loads((Path(__file__).parent / "hostile_statements.toml").read_text(encoding="utf-8"))
SECONDS = 0.05
"""Processor time of the median of three attempts."""


@dataclass(frozen=True)
class Hostile:
    """One statement: its class, the code of its refusal, and where the offending parts begin and end."""

    kind: str
    code: str
    sql: str
    parts: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, kind: str, code: str, written: str | dict[str, Any]) -> Hostile:
        """From the form that hostile_statements.toml describes."""
        if isinstance(written, dict):
            times = written["times"]
            sql = written["before"] + written["open"] * times + written["middle"] + written["close"] * times
            sql += written.get("after", "")
            return cls(kind, code, sql, ((0, len(sql)),))
        if "«" not in written:
            return cls(kind, code, written, ((0, 0),))
        sql, parts, start = "", [], -1
        for piece in re.split("([«»])", written):
            if piece == "«":
                start = len(sql)
            elif piece == "»":
                parts.append((start, len(sql) - 1))
                start = -1
            else:
                sql += piece
        if start >= 0:
            parts.append((start, len(sql)))
        return cls(kind, code, sql, tuple(parts))

    def holds(self, place: str) -> bool:
        """Whether a place such as "line 2, column 1" lies in an offending part."""
        found = re.fullmatch(r"line (\d+), column (\d+)", place)
        if found is None:
            return False
        lines = self.sql.split("\n")
        offset = sum(len(line) + 1 for line in lines[: int(found[1]) - 1]) + int(found[2]) - 1
        return any(first <= offset <= last for first, last in self.parts)


def statements() -> Iterator[Hostile]:
    """All, in the order of the file."""
    for kind, item in CLASSES.items():
        for code, written in item["statements"].items():
            for one in written:
                yield Hostile.read(kind, code, one)


ALL = list(statements())
IDS = [f"{item.kind}-{number}" for number, item in enumerate(ALL)]


def compiled(sql: str) -> object:
    return compile_query(sql, made_up(), epsilon=Decimal(1))


@pytest.fixture(scope="module")
def spy() -> Iterator[Spy]:
    refusal(lambda: compiled("SELECT nothing"))  # what is loaded once is loaded
    with watched() as found:
        yield found


def refused(item: Hostile) -> tuple[TrustQueryError, float]:
    """The refusal, and the processor time of the median of three."""
    seconds, error = [], None
    for _ in range(3):
        started = time.process_time()
        error = refusal(lambda: compiled(item.sql))
        seconds.append(time.process_time() - started)
    assert error is not None, f"accepted: {item.sql[:200]}"
    return error, sorted(seconds)[1]


@pytest.mark.acceptance("INP-05")
@pytest.mark.parametrize("item", ALL, ids=IDS)
def test_a_hostile_statement_is_refused_at_its_place_in_time_and_reaches_no_engine(
    item: Hostile, spy: Spy, caplog: pytest.LogCaptureFixture
) -> None:
    spy.seen.clear()
    error, seconds = refused(item)
    assert spy.seen == []
    assert caplog.records == []
    for problem in error.problems:
        assert re.fullmatch(r"line \d+, column \d+", problem.place), problem
        assert problem.reason
        assert problem.fix
    found = [(problem.code, problem.place) for problem in error.problems]
    # An entry "query-" takes any code of the language.
    wanted = [place for code, place in found if code == item.code or item.code == "query-"]
    assert wanted, f"{item.code} expected, found {found[:3]}: {item.sql[:200]}"
    assert any(item.holds(place) for place in wanted), f"{wanted[:3]} is not in the offending part: {item.sql[:200]}"
    assert seconds < SECONDS, f"{seconds * 1000:.1f} ms of processor time: {item.sql[:200]}"


def test_there_are_many_classes_of_many_statements_each() -> None:
    count = {kind: sum(item.kind == kind for item in ALL) for kind in CLASSES}
    assert len(count) >= 20
    assert min(count.values()) >= 15, count
    assert len({item.sql for item in ALL}) == len(ALL)
    for item in CLASSES.values():
        assert item["title"]
        assert item["danger"]


@pytest.mark.acceptance("INP-04")
@pytest.mark.parametrize("item", [item for item in ALL if item.kind in ("files", "table_texts", "attach", "export")],
                         ids=lambda item: item.kind)  # fmt: skip
def test_paths_and_addresses_in_a_query_are_refused_and_open_nothing(item: Hostile, spy: Spy) -> None:
    spy.seen.clear()
    assert refusal(lambda: compiled(item.sql)) is not None
    assert spy.seen == []


@pytest.mark.acceptance("INP-10")
@pytest.mark.parametrize("item", [item for item in ALL if item.kind in ("letters", "huge")], ids=lambda i: i.kind)
def test_odd_letters_and_huge_names_are_refused(item: Hostile) -> None:
    assert refusal(lambda: compiled(item.sql)) is not None


def test_the_spy_sees_an_engine_a_file_and_a_socket(tmp_path: Path) -> None:
    """A spy that sees nothing must not be mistaken for a clean run."""
    query = compile_query("SELECT count(*) FROM event", made_up(), epsilon=Decimal(1))
    with watched() as spy:
        node_agent.engines.rows.rows_query(query, pinned_tables(query, made_up()))
        duckdb.connect(":memory:").close()
        (tmp_path / "x").write_text("x")
        socket.socket().close()
    seen = " ".join(spy.seen)
    for wanted in ("node_agent.engines.rows.rows_query", "duckdb.connect", f"open {tmp_path}", "socket.__new__"):
        assert wanted in seen


# -- classic SQL injection: text that closes the text it is put in -----------------------------------------------------

INJECTIONS = (Path(__file__).parent / "injections.txt").read_text(encoding="utf-8").removesuffix("\n").split("\n")
PLACES = [
    "SELECT count(*) FROM event WHERE code = '{}'",
    "SELECT count(*) FROM event WHERE code = {}",
    "SELECT count(*) FROM event WHERE code IN ('a', '{}')",
    "SELECT count(*) FROM event WHERE starts_with(code, '{}')",
    'SELECT count(*) FROM "{}"',
    'SELECT count(*) AS "{}" FROM event',
    "SELECT CASE WHEN flag THEN '{}' ELSE 'b' END, count(*) FROM event GROUP BY 1",
    "SELECT count(*) FROM event -- {}",
    "{}",
]


@pytest.mark.acceptance("INP-05")
@pytest.mark.parametrize("place", PLACES)
def test_what_an_injection_brings_is_refused_or_stays_a_literal(place: str, spy: Spy) -> None:
    """Where a text is put into a query by hand, the worst it can do is to be another query of the language."""
    harmful = re.compile(
        r"drop|copy|attach|install|pragma|union|sleep|read_csv|nhs_number|getenv|error\(", re.IGNORECASE
    )
    for payload in INJECTIONS:
        spy.seen.clear()
        sql = place.format(payload)
        queries: list[Any] = []
        error = refusal(lambda sql=sql, queries=queries: queries.append(compiled(sql)))
        assert spy.seen == []
        if error is not None:
            assert all(problem.code.startswith("query-") and problem.place for problem in error.problems)
            continue
        (query,) = queries
        spy.active = False
        plan, tables = compile_plan(query, made_up()), pinned_tables(query, made_up())
        ways = routes(query, plan, tables)
        fast = [*ways.plain, *([ways.stream] if ways.stream is not None else [])]
        generated = [rows_query(query, tables), *block_queries(query, plan), *fast]
        for text in generated:
            (statement,) = duckdb.extract_statements(text)
            assert statement.type.name in ("SELECT", "CREATE")
            outside = re.sub(r"'(?:[^']|'')*'", "''", text)
            assert not harmful.search(outside), outside
        spy.active = True


@pytest.mark.acceptance("INP-05")
def test_every_injection_as_a_literal_comes_back_from_the_engine_as_it_was() -> None:
    with duckdb.connect(":memory:") as connection:
        for payload in INJECTIONS:
            text = f"SELECT {literal(ColumnType.TEXT, payload).sql(DIALECT)}"  # the engine's own escape, on its own
            assert connection.execute(text).fetchall() == [(payload,)]

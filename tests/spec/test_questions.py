"""The questions that analysts ask, each in SQL, and what they must answer on made-up data.

The oracle of each question is SQL of its own, for plain DuckDB over the raw files. Every evaluator gives the same exact
vector, and the table read from it has the oracle's figures, cell by cell. The manual renders the same files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlglot import exp

from tests.spec.presented import check_counts, check_table, mixed, told_apart
from tests.spec.question_worlds import Answer, World, answer_of, differences, non_zero, opened, public_tables
from tools.question_specs import Asked, Spec, read_specs
from trustquery.catalogue import Role, available, load
from trustquery.catalogue.questions import questions
from trustquery.language.parse import parse
from trustquery.model import Query
from trustquery.outputs import Estimate
from trustquery.outputs.profiles import PROFILES

SPECS = read_specs()
LARGE = 20_000
ASKED = [(spec, asked) for spec in SPECS for asked in spec.asked.values()]


def ids(item: object) -> str:
    return f"q{item.number:02}" if isinstance(item, Spec) else item.catalogue if isinstance(item, Asked) else ""


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(opened(name, tmp_path_factory.mktemp(name))) for name in available()}


@pytest.mark.parametrize(("spec", "asked"), ASKED, ids=ids)
def test_question(spec: Spec, asked: Asked, worlds: dict[str, World]) -> None:
    world = worlds[asked.catalogue]
    query, plan = world.compiled(asked)
    assert Query.from_payload(query.payload()) == query

    vector = world.by_reference(asked, query)
    assert world.by_duckdb(asked, query, plan) == vector

    found = answer_of(world.table(asked, query, plan, vector))
    assert differences(asked, found, world.oracle(asked)) == []
    assert non_zero(found) > asked.non_zero


@pytest.mark.parametrize(("spec", "asked"), ASKED, ids=ids)
def test_question_under_each_profile(spec: Spec, asked: Asked, worlds: dict[str, World]) -> None:
    """Each figure is Suppressed with its reason or shown as the profile says, and nothing tells what is withheld."""
    world = worlds[asked.catalogue]
    query, plan = world.compiled(asked)
    vector = mixed(plan, world.by_duckdb(asked, query, plan))
    other = {(profile.minimum_released_count, profile.rounding): profile for profile in PROFILES.values()}
    for profile in PROFILES.values():
        twin = other[profile.minimum_released_count, profile.rounding]
        if plan.length > LARGE and twin is not profile:
            continue  # another profile of the same numbers gives the same figures, and this table takes seconds
        table = world.table(asked, query, plan, vector, profile=profile)
        check_table(table)
        if not profile.withholds:
            assert not any(cell.suppressed for row in table.rows for cell in row if isinstance(cell, Estimate))
        elif twin is profile:
            check_counts(query, plan, vector, profile)
            assert (plan.length > LARGE and profile.rounding > 1) or not told_apart(
                world, asked, query, plan, vector, table, profile
            ), profile.name


def test_a_profile_that_told_would_be_noticed(worlds: dict[str, World]) -> None:
    """The same questions with everything shown: then what is withheld under a profile does make a difference."""
    profile, told, figures = PROFILES["nhs-hes"], 0, [0, 0]
    some = [asked for spec, asked in ASKED if asked.catalogue == "omop-5.4"]
    for asked in some:
        world = worlds[asked.catalogue]
        query, plan = world.compiled(asked)
        vector = mixed(plan, world.by_duckdb(asked, query, plan))
        everything = world.table(asked, query, plan, vector)
        told += told_apart(world, asked, query, plan, vector, everything, profile, shown_under=PROFILES["none"])
        figures = [sum(pair) for pair in zip(figures, check_counts(query, plan, vector, profile), strict=True)]
    assert told >= len(some) - 2
    assert min(figures) > 100, "both must be there: figures that are shown, and figures that are not"


@pytest.mark.parametrize(("spec", "asked"), ASKED, ids=ids)
def test_question_means_to_duckdb_what_it_means_to_us(spec: Spec, asked: Asked, worlds: dict[str, World]) -> None:
    """The query as written, run on the raw files, against the same oracle."""
    if not asked.plain_sql:
        assert "histogram(" in asked.sql or "survival(" in asked.sql
        return
    world = worlds[asked.catalogue]
    oracle = world.oracle(asked)
    assert differences(asked, world.plain_sql(asked), oracle) == []


def test_every_question_is_asked_or_says_why_not() -> None:
    assert [spec.number for spec in SPECS] == list(range(1, 28))
    assert [spec.number for spec in SPECS if spec.unanswered] == [25]
    for spec, matrix in zip(SPECS, questions(), strict=True):
        for name, support in matrix.support.items():
            assert (name in spec.asked or name in spec.omitted) == support.answered, (spec.number, name)
    assert not any("nhs-episodes" in spec.omitted for spec in SPECS)
    assert sum("omop-5.4" in spec.asked for spec in SPECS) >= 8


@pytest.mark.parametrize(("spec", "asked"), ASKED, ids=ids)
def test_a_question_reads_the_catalogue_and_the_public_tables_that_it_names(spec: Spec, asked: Asked) -> None:
    """No view was made for a question."""
    tree, _ = parse(asked.sql)
    named = {with_.alias for with_ in tree.find_all(exp.CTE)}
    read = {table.name for table in tree.find_all(exp.Table)} - named
    tables = {table.name: table for table in load(asked.catalogue).tables}
    assert read <= tables.keys() | set(asked.public)
    assert read >= set(asked.public)
    assert all(name in public_tables() for name in asked.public)
    columns = {column.name for column in tree.find_all(exp.Column)}
    forbidden = {c.name for name in read & tables.keys() for c in tables[name].columns if c.role is Role.FORBIDDEN}
    assert not columns & forbidden


def test_a_wrong_figure_would_be_noticed(worlds: dict[str, World]) -> None:
    asked = SPECS[0].asked["nhs-episodes"]
    world = worlds["nhs-episodes"]
    query, plan = world.compiled(asked)
    vector = world.by_reference(asked, query)
    oracle = world.oracle(asked)
    for place in (0, len(vector) - 1):
        wrong = [number + (cell == place) for cell, number in enumerate(vector)]
        found = answer_of(world.table(asked, query, plan, wrong))
        assert len(differences(asked, found, oracle)) == 1
    (key, *_) = oracle.rows
    fewer = Answer(oracle.keys, {other: row for other, row in oracle.rows.items() if other != key})
    assert len(differences(asked, answer_of(world.table(asked, query, plan, vector)), fewer)) == 1

"""All problems at once, each where it stands; and what is in order but surprising."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.factories.trust import policy_text
from trustquery.errors import TrustQueryError
from trustquery.policy.checking import check_text
from trustquery.policy.places import nearest_place, places_of

ROOT = Path(__file__).resolve().parents[3]
TEXTS = [
    *(ROOT / "policies").rglob("*.toml"),
    *(ROOT / "trustquery/catalogue/data").glob("*.toml"),
    ROOT / "pyproject.toml",
    ROOT / "node_agent/node.sample.toml",
]


def paths(data: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every key of data, as errors write it, and the key itself."""
    if isinstance(data, dict):
        for key, value in data.items():
            here = f"{place}.{key}" if place else key
            yield here, key
            yield from paths(value, here)
    elif isinstance(data, list):
        for number, value in enumerate(data, 1):
            yield from paths(value, f"{place}[{number}]")


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_key_of_every_file_is_found_where_it_is_written(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found, lines = places_of(text), text.splitlines()
    for place, key in paths(tomllib.loads(text)):
        line, column = found[place]
        assert lines[line - 1][column - 1 :].lstrip("\"'").startswith(key), place


HARD = '''
a."b.c" = [ # a comment with ] and "
  { d = 'x]', "e\\"" = """
  f = 1
""" }, [1, [2]],
]
[[t]]
x = {y = {z = 1}}
[[t]]
[t.u]
v = 1
'''


def test_strings_comments_and_nesting_do_not_mislead() -> None:
    assert tomllib.loads(HARD)
    found = places_of(HARD)
    assert found["a.b.c"] == (2, 3)
    assert found["a.b.c[1].d"] == (3, 5)
    assert found['a.b.c[1].e"'] == (3, 15)
    assert found["a.b.c[2][2][1]"] == (5, 13)
    assert found["t[1].x.y.z"] == (8, 11)
    assert found["t[2].u.v"] == (11, 1)
    assert "f" not in found
    assert nearest_place(found, "t[2].u.missing.more") == found["t[2].u"]


@pytest.mark.parametrize(
    "text", ["", "a", "a = ", "[", "[[", "a = [", "a = {", 'a = "', "]" * 50, "a = " + "[" * 3_000]
)
def test_a_text_that_is_no_toml_has_the_places_before_the_fault(text: str) -> None:
    assert nearest_place(places_of(text), "b") == (1, 1)


def test_all_problems_at_once_with_line_and_column() -> None:
    text = policy_text(max_rho='"x"', max_cells="-1", purposes='["marketing"]').replace("[deny]", "[denied]")
    with pytest.raises(TrustQueryError) as caught:
        check_text(text)
    lines = text.splitlines()
    for problem in caught.value.problems:
        line, column, key = problem.place.split(", ")
        written = lines[int(line.removeprefix("line ")) - 1][int(column.removeprefix("column ")) - 1 :]
        last = key.split(".")[-1].partition("[")[0]
        assert written.startswith((last, '"marketing"')), problem.place
    assert [problem.place.split(", ")[2] for problem in caught.value.problems] == [
        "who.purposes[1]",
        "queries.max_rho",
        "queries.max_cells",
        "denied",
    ]


def test_values_that_are_no_numbers_are_told_with_the_rest() -> None:
    with pytest.raises(TrustQueryError) as caught:
        check_text(policy_text(max_rho="nan", rho_lifetime="inf", version="2026-01-01", max_cells="-1"))
    assert [problem.place.split(", ")[2] for problem in caught.value.problems] == [
        "version",
        "budget.node_wide.rho_lifetime",
        "queries.max_rho",
        "queries.max_cells",
    ]


def test_a_key_that_is_missing_points_to_the_part_that_should_hold_it() -> None:
    text = policy_text().replace("max_cells = 100\n", "")
    with pytest.raises(TrustQueryError) as caught:
        check_text(text)
    (problem,) = caught.value.problems
    line = text.splitlines().index("[queries]") + 1
    assert problem.place == f"line {line}, column 2, queries.max_cells"


def test_text_that_is_no_toml_names_its_place() -> None:
    with pytest.raises(TrustQueryError) as caught:
        check_text(policy_text().replace("version = 1", "version = = 1"))
    assert caught.value.problem.place == "line 5, column 11"


WARNED = [
    ({"bootstrap": "false"}, "bootstrap", "no witnesses are named"),
    ({"purposes": "[]"}, "who.purposes", "the list is empty"),
    ({"min_released_count": "5"}, "queries.min_released_count", "withholds as many counts"),
    ({"disclosure_profiles": '["none", "nhs_hes"]'}, "queries.disclosure_profiles", "no profile nhs_hes"),
    ({"every_query": "true"}, "review.every_query", "review.minutes gives a review no deadline"),
    ({"id": '"omop-5.4"', "tables": '[{ name = "persn", columns = "all-by-catalogue-role" }]'},
     "dataset[1].tables[1].name", "nearest: person"),
    ({"id": '"omop-5.4"', "tables": '[{ name = "person", columns = { dimension = ["gender_concept"], measure = [], '
      'join_only = [], forbidden = [] } }]'}, "dataset[1].tables[1].columns.dimension[1]", "(nearest: gender_"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "place", "words"), WARNED, ids=lambda item: item if isinstance(item, str) else "")
def test_what_is_in_order_but_surprising_is_said(changes: dict[str, str], place: str, words: str) -> None:
    before = {warning.place for warning in check_text(policy_text())[1]}
    _, warnings = check_text(policy_text(**changes))
    (found,) = [warning for warning in warnings if warning.place == place]
    assert words in found.words
    assert place not in before


def test_caps_that_promise_little_are_said_and_small_caps_are_not() -> None:
    def places(caps: str) -> set[str]:
        return {item.place for item in check_text(policy_text(rho_12_months=caps, rho_lifetime=caps))[1]}

    assert "budget.node_wide" in places("2")
    assert "budget.node_wide" not in places("0.01")

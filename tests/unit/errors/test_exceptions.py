"""Errors as data: exact fields, several at once in order, and nonsense from another machine."""

import pickle
from typing import Any

import pytest

from trustquery.errors import Exit, Problem, Problems, TrustQueryError, nearest


def test_a_problem_says_what_where_and_what_next() -> None:
    error = TrustQueryError("query-too-long", "line 1, column 2", limit="5 bytes")
    assert str(error) == "query-too-long: line 1, column 2: the query is longer than 5 bytes"
    assert (error.code, error.exit_status) == ("query-too-long", Exit.QUERY)
    assert error.problem.document() == {
        "code": "query-too-long",
        "place": "line 1, column 2",
        "fields": {"limit": "5 bytes"},
        "reason": "the query is longer than 5 bytes",
        "fix": "shorten it; long code sets belong in a codelist",
    }


@pytest.mark.parametrize("fields", [{}, {"limit": "1", "row": "2"}, {"row": "2"}])
def test_only_the_catalogues_fields_are_possible(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="missing or not allowed"):
        Problem("query-too-long", fields=fields)


def test_an_unknown_code_is_not_possible() -> None:
    with pytest.raises(ValueError, match="unknown error code"):
        TrustQueryError("query-made-up")


def test_braces_in_a_field_are_only_text() -> None:
    assert Problem("config-invalid", fields={"problem": "{limit} {0} {problem.x}"}).reason == "{limit} {0} {problem.x}"


def test_a_problem_survives_the_way_to_another_machine() -> None:
    problem = Problem("query-too-long", "line 1", {"limit": "5"})
    assert Problem.from_document(problem.document()) == problem


@pytest.mark.parametrize(
    "data",
    [
        None,
        1,
        "query-empty",
        [],
        {},
        {"code": "query-empty"},
        {"code": "query-empty", "fields": None},
        {"code": "query-empty", "fields": [1]},
        {"code": "query-empty", "fields": {"extra": "x"}},
        {"code": "query-too-long", "fields": {}},
        {"code": "query-too-long", "fields": {"limit": 10**5000}},
        {"code": "made-up", "fields": {}},
        {"code": None, "fields": {}},
        {"code": ["query-empty"], "fields": {}},
        {"code": "x" * 10**6, "fields": {}},
    ],
)
def test_nonsense_is_an_internal_fault(data: Any) -> None:
    assert Problem.from_document(data) == Problem("internal-fault", fields={"incident": "unreadable-problem"})


def test_what_another_machine_sends_is_cut() -> None:
    sent = {"code": "query-too-long", "place": "p" * 10**6, "fields": {"limit": "9" * 10**6}, "reason": "trust me"}
    found = Problem.from_document(sent)
    assert (len(found.place), len(found.fields["limit"])) == (200, 500)
    assert "trust me" not in found.reason


def test_several_problems_stay_in_the_order_given_and_the_first_decides() -> None:
    ledger, query = Problem("ledger-locked"), Problem("query-empty")
    for order in ((ledger, query), (query, ledger)):
        error = TrustQueryError.of(order)
        assert error.problems == order
        assert error.exit_status == order[0].entry.exit
        assert str(error) == f"{order[0]}; {order[1]}"


def test_collected_problems_are_sorted_by_position_and_told_once() -> None:
    problems = Problems()
    assert not problems
    problems.raise_any()
    problems.add("query-empty", (2, 1))
    problems.add("query-syntax", (1, 10))
    problems.add("query-too-long", (1, 9), limit=1)
    problems.add("query-empty", (2, 1))
    problems.add("query-epsilon-too-small")
    assert problems
    with pytest.raises(TrustQueryError) as caught:
        problems.raise_any()
    assert [(problem.code, problem.place) for problem in caught.value.problems] == [
        ("query-epsilon-too-small", ""),
        ("query-too-long", "line 1, column 9"),
        ("query-syntax", "line 1, column 10"),
        ("query-empty", "line 2, column 1"),
    ]


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("persn", ["person", "visit"], "person"),
        ("PERSON", ["person", "visit"], "person"),
        ("zzz", ["person"], ""),
        ("", ["person"], ""),
        ("person", [], ""),
        ("x" * 10**6, ["person"], ""),
    ],
)
def test_the_nearest_name(name: str, known: list[str], found: str) -> None:
    assert nearest(name, known) == found


def test_an_error_survives_the_way_to_another_process() -> None:
    problems = [Problem("ledger-corrupt", "the file", {"seq": "3"}), Problem("ledger-unwritable")]
    error = pickle.loads(pickle.dumps(TrustQueryError.of(problems)))
    assert error.problems == tuple(problems)
    assert str(error) == str(TrustQueryError.of(problems))

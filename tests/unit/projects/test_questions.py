"""The questions: each is a field, the register's columns are filled from them, and answers are checked one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.factories.projects import application, team_member
from tests.lib.refusals import code_of
from trustquery.errors import TrustQueryError
from trustquery.projects.answers import assemble, choices, missing, read_answer, read_answers
from trustquery.projects.application import Application
from trustquery.projects.five_safes import render
from trustquery.projects.questions import BY_NAME, QUESTIONS, Kind, Safe
from trustquery.projects.terms import terms_sha256, terms_text

GIVEN = {"federation", "project", "version", "previous", "submitted"}
"""Fields that nobody is asked for."""
FILLED_ELSEWHERE = {
    "Project ID", "Applicant ID", "Latest approval date", "Release/Access date", "Access type",
}  # fmt: skip
"""Columns that the register fills from the permit, the keys and what the federation is."""
COLUMNS = """Project ID; Organisation name; Organisation ID; Organisation sector; Applicant name(s); Applicant
ID; Funders/ Sponsors; DEA accredited researcher?; Sub-licence arrangements (if any)?; Project
title; Lay summary; Public benefit statement; Request category type; Technical summary; Other
approval committees; Project start date; Project end date; Latest approval date; Dataset(s) name;
Data sensitivity level; Legal basis for provision of data under Article 6; Lawful conditions for
provision of data under Article 9; Common Law Duty of Confidentiality; National data opt-out
applied?; Request frequency; For linked datasets, specify how the linkage will take place;
Description of the confidential data being used; Release/Access date; Access type; How has data been
processed to enhance privacy?; Link to research outputs"""
ANSWERS = {name: application().model_dump(mode="json")[name] for name in BY_NAME}


def test_every_field_is_asked_for_once() -> None:
    assert len(BY_NAME) == len(QUESTIONS)
    assert set(BY_NAME) == set(Application.model_fields) - GIVEN


def test_every_column_of_the_register_is_filled() -> None:
    wanted = {" ".join(column.split()) for column in COLUMNS.split(";")}
    assert len(wanted) == 31
    asked = [question.column for question in QUESTIONS if question.column]
    assert len(asked) == len(set(asked))
    assert set(asked) == wanted - FILLED_ELSEWHERE


def test_choices_are_those_of_the_document() -> None:
    for question in QUESTIONS:
        if question.kind is Kind.CHOICE:
            assert len(choices(question.name)) >= 2
    assert "marketing" not in " ".join(choices("purpose"))
    assert choices("purpose") == (
        "public-health-surveillance", "health-service-planning", "health-service-evaluation", "health-research",
        "clinical-audit", "health-promotion",
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_an_answer_reads_back_as_it_was_kept(name: str) -> None:
    kept = read_answer(name, ANSWERS[name])
    assert kept == ANSWERS[name] == json.loads(json.dumps(kept))
    assert read_answer(name, kept) == kept


@pytest.mark.parametrize("name", sorted(BY_NAME))
@pytest.mark.parametrize("wrong", [None, {}, {"x": 1}, [[]], 1.5, "\x00", "\n"], ids=repr)
def test_nonsense_is_no_answer(name: str, wrong: Any) -> None:
    assert code_of(read_answer, name, wrong) == "project-answer"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("rho", "0"), ("rho", "0.0000000001"), ("rho", "1e3"), ("rho", "1001"), ("rho", "-1"), ("rho", 1),
        ("starts", "2026-02-30"), ("starts", "1 April 2026"), ("starts", "2026-4-1"),
        ("purpose", "marketing"), ("purpose", "insurance"), ("purpose", "research"), ("article_6", "6(1)(g)"),
        ("article_9", "9(2)(k)"), ("article_9", "9(2)(j)research"), ("contact_email", "nobody"),
        ("min_trusts", 0), ("min_trusts", "2"), ("min_trusts", True), ("datasets", []), ("datasets", ["a b"]),
        ("team", []),
        ("title", "two\nlines"), ("title", "x" * 201), ("title", " "), ("title", "a\u202eb"), ("title", "\u200b"),
        ("title", "-"), ("title", "a\u3164"), ("lay_summary", "…"), ("lay_summary", "\u2800"), ("funders", ["?!"]),
        ("lay_summary", ""), ("lay_summary", "a\x1b[31mb"), ("funders", []), ("terms", True),
        ("funders", ["a", "\u2066"]),
    ],
)  # fmt: skip
def test_what_is_out_of_range_is_no_answer(name: str, wrong: Any) -> None:
    assert code_of(read_answer, name, wrong) == "project-answer"


def test_every_problem_of_every_answer_is_told_with_its_place() -> None:
    member = team_member().model_dump(mode="json") | {"key": "short", "role": "king"}
    with pytest.raises(TrustQueryError) as caught:
        read_answers({"team": [member], "rho": "none", "colour": "red"})
    assert [(problem.code, problem.place) for problem in caught.value.problems] == [
        ("project-answer", "team.0.role"),
        ("project-answer", "team.0.key"),
        ("project-answer", "rho"),
        ("project-question", "colour"),
    ]


def test_an_unknown_question_names_the_nearest() -> None:
    with pytest.raises(TrustQueryError) as caught:
        read_answer("lay_sumary", "x")
    assert "did you mean lay_summary?" in caught.value.problem.fix


def test_what_is_left_is_told_in_the_forms_order() -> None:
    assert missing(ANSWERS) == ()
    assert [question.name for question in missing({})][:2] == ["title", "purpose"]


def test_an_incomplete_application_is_not_assembled() -> None:
    facts: dict[str, Any] = {"federation": "test", "project": "stays", "version": 1, "previous": "", "submitted": 1}
    assert assemble(ANSWERS, **facts).title == "Stays"
    for name in BY_NAME:
        left = {key: value for key, value in ANSWERS.items() if key != name}
        assert code_of(lambda left=left: assemble(left, **facts)) == "project-incomplete"


@pytest.mark.parametrize(
    "together",
    [
        {"starts": "2027-01-02", "ends": "2027-01-01"},
        {"starts": "2027-01-01", "ends": "2033-01-01"},
        {"team": [team_member(role="analyst").model_dump(mode="json")]},
        {"team": [team_member().model_dump(mode="json")] * 2},
        {"datasets": ["a", "a"]},
        {"opt_out_treatment": "exempt-with-basis", "opt_out_basis": "We would like to."},
    ],
)
def test_answers_that_do_not_go_together_are_refused(together: dict[str, Any]) -> None:
    facts: dict[str, Any] = {"federation": "test", "project": "stays", "version": 1, "previous": "", "submitted": 1}
    assert code_of(lambda: assemble(ANSWERS | together, **facts)) == "project-answer"


def test_an_application_is_read_under_the_five_safes() -> None:
    text = render(ANSWERS, title="stays")
    assert [line for line in text.splitlines() if line.startswith("Safe ")] == [safe.value for safe in Safe]
    for question in QUESTIONS:
        assert f"\n{question.label}: " in text
    assert "Ada Lovelace (ada), University of Example: lead; trained by ONS until 2028-01-01" in text
    assert "rho 1, which is epsilon" in text
    assert "Not answered yet" not in text
    assert render({}).count("Not answered yet") == len(QUESTIONS)


def test_terms_of_another_version_are_not_shown_as_agreed() -> None:
    assert "Everybody on the team agrees" in render(ANSWERS)
    assert "another version" in render(ANSWERS | {"terms": "ab" * 32})
    assert len(terms_sha256()) == 64
    assert "marketing or insurance" in terms_text()

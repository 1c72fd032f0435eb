"""Answers to the application's questions: each is checked by itself, so that a draft can be saved as it grows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from trustquery.errors import Problem, TrustQueryError, nearest
from trustquery.projects.application import Application
from trustquery.projects.questions import BY_NAME, QUESTIONS, Question

__all__ = ["Answers", "assemble", "choices", "missing", "read_answer", "read_answers"]

Answers = Mapping[str, Any]
"""Question to answer, as JSON data: the application's own fields, as many as there are."""


def choices(name: str) -> tuple[str, ...]:
    """The answers that a question of kind CHOICE allows."""
    return tuple(str(item) for item in get_args(Application.model_fields[name].annotation))


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    field = Application.model_fields[name]
    annotation: Any = field.annotation
    for part in field.metadata:
        annotation = Annotated[annotation, part]
    return TypeAdapter(annotation)


def read_answer(name: str, value: Any) -> Any:
    """Check one answer.

    Returns:
        The same answer as canonical JSON data.

    Raises:
        TrustQueryError: ``project-question``: there is no such question; ``project-answer``: one problem a fault.
    """
    question = BY_NAME.get(name)
    if question is None:
        guess = nearest(name, BY_NAME) or QUESTIONS[0].name
        raise TrustQueryError("project-question", place=name[:64], question=name[:64], nearest=guess)
    try:
        found = _adapter(name).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        # Where a part is wrong, what is said of the whole is noise: a team of one wrong member is not an empty team.
        parts = [item for item in faults if item["loc"]] or faults
        raise TrustQueryError.of([_fault(question, item["loc"], _words(question, item)) for item in parts]) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise TrustQueryError("project-answer", name, question=question.ask, problem="it is not data") from error
    return _adapter(name).dump_python(found, mode="json")


def _words(question: Question, fault: ErrorDetails) -> str:
    """What is wrong, in words; nobody is shown a regular expression."""
    if fault["type"] == "string_pattern_mismatch":
        return f"it is not written as it should be. {question.hint}"
    return fault["msg"].removeprefix("Value error, ")


def _fault(question: Question, steps: tuple[int | str, ...], message: str) -> Problem:
    place = ".".join([question.name, *map(str, steps)])
    return Problem("project-answer", place, {"question": question.ask, "problem": message})


def read_answers(answers: Answers) -> dict[str, Any]:
    """Check several answers; every problem of every one is reported.

    Raises:
        TrustQueryError: ``project-question``, ``project-answer``.
    """
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in answers.items():
        try:
            found[name] = read_answer(name, value)
        except TrustQueryError as error:
            problems.extend(error.problems)
    if problems:
        raise TrustQueryError.of(problems)
    return found


def missing(answers: Answers) -> tuple[Question, ...]:
    """The questions that still need an answer, in the form's order."""
    return tuple(question for question in QUESTIONS if question.name not in answers)


def assemble(
    answers: Answers, *, federation: str, project: str, version: int, previous: str, submitted: int
) -> Application:
    """The application that these answers make.

    Args:
        previous: hash of the application that it amends, "" for the first.
        submitted: seconds since 1970 UTC.

    Raises:
        TrustQueryError: ``project-incomplete``; ``project-answer``: answers that do not go together.
    """
    left = missing(answers)
    if left:
        names = ", ".join(question.name for question in left)
        raise TrustQueryError("project-incomplete", project=project, count=len(left), questions=names)
    facts = {"federation": federation, "project": project, "version": version, "previous": previous}
    try:
        return Application.model_validate_json(json.dumps({**read_answers(answers), **facts, "submitted": submitted}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise TrustQueryError(
            "project-answer", question="The answers do not go together:", problem=first["msg"]
        ) from error

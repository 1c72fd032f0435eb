"""An application as people read it: every question and its answer, under the headings of the Five Safes."""

from __future__ import annotations

from typing import Any

from trustquery.projects.answers import Answers
from trustquery.projects.questions import QUESTIONS, Kind, Question, Safe
from trustquery.projects.terms import terms_sha256

__all__ = ["in_words", "render"]

_NOT_YET = "Not answered yet"


def in_words(question: Question, value: Any) -> list[str]:
    """An answer as lines for people.

    Args:
        value: as JSON data; None where there is no answer yet.
    """
    if value is None:
        return [_NOT_YET]
    if question.kind is Kind.TEAM:
        return [_member(member) for member in value]
    if question.kind is Kind.AGREE:
        return ["Everybody on the team agrees" if value == terms_sha256() else "They agreed to another version of them"]
    if isinstance(value, list):
        return [str(item) for item in value] or ["None"]
    if question.name == "rho":
        return [_loss(str(value))]
    return str(value).splitlines() or ["None"]


def _member(member: dict[str, Any]) -> str:
    return (
        f"{member['name']} ({member['person']}), {member['organisation']}: {member['role']}; trained by "
        f"{member['training_body']} until {member['training_expires']}; signs with key {member['key'][:16]}…, "
        f"kept in a {member['key_kind']}"
    )


def _loss(rho: str) -> str:
    from trustquery.privacy.budget import epsilon_of
    from trustquery.projects.application import rho_nano

    return f"rho {rho}, which is epsilon {epsilon_of(rho_nano(rho))} at delta 1e-8, for a person at one trust"


def render(answers: Answers, *, title: str = "") -> str:
    """The whole application as plain text.

    Args:
        answers: as many as there are; the others stand there as not answered yet.
        title: a first line, "" for none.
    """
    lines = [title, "=" * len(title)] if title else []
    for safe in Safe:
        lines += ["", safe.value, "-" * len(safe.value)]
        for question in QUESTIONS:
            if question.safe is not safe:
                continue
            first, *rest = in_words(question, answers.get(question.name))
            lines.append(f"{question.label}: {first}")
            lines += [f"  {line}" for line in rest]
    return "\n".join(lines).strip("\n")

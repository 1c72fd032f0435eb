"""The application's form: answers from a file, from options, or from whoever sits at the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from trustquery.cli.output import say
from trustquery.cli.signing import read_text
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from trustquery.client.applications import Request
    from trustquery.client.connection import Connection
    from trustquery.identity import SigningKey
    from trustquery.projects.questions import Question

__all__ = ["ask_all", "given_answers", "own_key"]


def own_key(connection: Connection) -> SigningKey:
    """The key that the person at this machine signs with."""
    return connection.key()


def given_answers(file: Path | None, options: list[str]) -> dict[str, Any]:
    """Answers from a TOML file and from ``QUESTION=ANSWER`` options, which win.

    Raises:
        TrustQueryError: ``config-missing``, ``project-file``, ``usage-invalid``.
    """
    found: dict[str, Any] = _from_toml(file) if file is not None else {}
    for option in options:
        question, mark, text = option.partition("=")
        if not mark:
            raise TrustQueryError(
                "usage-invalid", place="--set", problem="write QUESTION=ANSWER, such as starts=2027-04-01"
            )
        found[question.strip()] = _typed(question.strip(), text.strip())
    return found


def _from_toml(file: Path) -> dict[str, Any]:
    from trustquery.policy.reading import parse_toml

    read = parse_toml(read_text(file), invalid="project-file", name=file.name)
    return {key: _typed(key, value) for key, value in read.items()}


def _typed(name: str, value: Any) -> Any:
    """An answer as the application spells it; text is taken apart by the kind of its question."""
    from trustquery.projects.questions import BY_NAME, Kind
    from trustquery.projects.terms import terms_sha256

    question = BY_NAME.get(name)
    if question is None:
        return value
    if question.kind is Kind.AGREE:
        return terms_sha256() if value is True or str(value).strip().lower() in ("yes", "agreed") else value
    if not isinstance(value, str):
        return str(value) if name == "rho" else value
    if question.kind in (Kind.LINES, Kind.NAMES):
        return [line.strip() for line in value.replace(";", "\n").splitlines() if line.strip()]
    if question.kind is Kind.NUMBER and value.isdecimal():
        return int(value)
    return value.strip()


# -- answers at a terminal ---------------------------------------------------------------------------------------------


def ask_all(connection: Connection, request: Request) -> None:
    """Ask the questions that are left, one by one, and save each answer at once."""
    from trustquery.projects.questions import BY_NAME

    say(f"{len(request.missing)} questions are left. Each answer is saved at once; Ctrl-C stops and loses nothing.")
    for number, name in enumerate(request.missing, 1):
        _ask(connection, request.project, BY_NAME[name], f"{number} of {len(request.missing)}")


def _ask(connection: Connection, project: str, question: Question, place: str) -> None:
    from trustquery.projects.answers import choices
    from trustquery.projects.questions import Kind

    say(f"\n{question.safe.value}, {place}: {question.ask}\n  {question.hint}")
    while True:
        if question.kind is Kind.TEAM:
            value: Any = _ask_team(connection)
        elif question.kind is Kind.CHOICE:
            allowed = choices(question.name)
            for number, choice in enumerate(allowed, 1):
                say(f"  {number}. {choice}")
            typed = typer.prompt("Number", err=True, type=int)
            value = allowed[typed - 1] if 1 <= typed <= len(allowed) else ""
        elif question.kind is Kind.AGREE:
            value = _typed(question.name, typer.confirm("Do they?", err=True))
        else:
            value = _typed(question.name, _read(question))
        try:
            connection.applications().save(project, {question.name: value})
            return
        except TrustQueryError as error:
            if error.code != "project-answer":
                raise
            for problem in error.problems:
                say(f"  {problem.reason}")


def _read(question: Question) -> str:
    """One line, or several ended by an empty one."""
    from trustquery.projects.questions import Kind

    if question.kind not in (Kind.TEXT, Kind.LINES, Kind.NAMES):
        found: str = typer.prompt(question.label, err=True)
        return found
    say("  Several lines; an empty one ends the answer.")
    lines: list[str] = []
    while line := typer.prompt(question.label, default="", show_default=False, err=True):
        lines.append(line)
    return "\n".join(lines)


def _ask_team(connection: Connection) -> list[dict[str, str]]:
    team: list[dict[str, str]] = []
    while True:
        first = not team
        own = connection.settings.user if first else None
        member = {"person": str(typer.prompt("Short name", default=own, err=True))}
        for field, label in (("name", "Full name"), ("organisation", "Organisation")):
            member[field] = str(typer.prompt(label, err=True))
        member["role"] = "lead" if first or typer.confirm("Do they lead?", default=False, err=True) else "analyst"
        key = own_key(connection).public.hex() if first else None
        member["key"] = str(typer.prompt("Public key, as `tq login --new-key` printed it", default=key, err=True))
        member["key_kind"] = "file"
        member["training_body"] = str(typer.prompt("Trained by", err=True))
        member["training_expires"] = str(typer.prompt("Training expires, such as 2027-09-30", err=True))
        team.append(member)
        if not typer.confirm("Is there anybody else?", default=False, err=True):
            return team

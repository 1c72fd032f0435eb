"""``tq project apply`` and what belongs to it: questions asked one by one or read from a file, saved as you go."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trustquery.cli.confirm import confirm_act
from trustquery.cli.form import ask_all, given_answers, own_key
from trustquery.cli.output import reporting, say

if TYPE_CHECKING:
    from trustquery.client.applications import Request
    from trustquery.client.connection import Connection

__all__ = ["add_to"]

Name = Annotated[str, typer.Argument(help="The project's name: plain letters, digits, . _ and -.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file to ``tq project``."""
    for command in (apply, questions, terms, amend, withdraw, close):
        app.command()(command)


def apply(
    name: Name,
    file: Annotated[
        Path | None, typer.Option("--file", help="Answers in TOML: a key for each question, [[team]] for people.")
    ] = None,
    answer: Annotated[
        list[str] | None, typer.Option("--set", help="One answer, as QUESTION=ANSWER; may be given several times.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Only show what there is, under the Five Safes.")] = False,
    submit: Annotated[bool, typer.Option("--submit", help="Sign it and send it to the committee.")] = False,
    yes: Yes = False,
) -> None:
    """Apply for a project, or go on with an application: each answer is saved as soon as it is given.

    On a terminal the questions that are left are asked one by one; Ctrl-C loses nothing. `tq project questions` lists
    them. With --submit it is shown as it will be read, signed with your key, and sent.

    Example: tq project apply stay-lengths --file application.toml --submit
    """
    with reporting():
        from trustquery.cli.connecting import connect

        with connect() as connection:
            desk = connection.applications()
            request = desk.get(name) if show else desk.open(name)
            if show:
                _show(request)
                return
            given = given_answers(file, answer or [])
            if given:
                desk.save(name, given)
            elif not submit and sys.stdin.isatty():
                ask_all(connection, request)
            request = desk.get(name)
            if request.missing:
                say(f"saved; {len(request.missing)} questions are left: {', '.join(request.missing)}")
            if submit:
                _submit(connection, request, yes)
                say(f"submitted to the data access committee. next: tq request show {name}")
            elif request.missing:
                say(f"next: tq project apply {name}")
            else:
                say(f"saved; every question is answered. next: tq project apply {name} --submit")


def _show(request: Request) -> None:
    from trustquery.cli.output import data
    from trustquery.projects.five_safes import render

    title = f"{request.project}, application version {request.version}: {request.state}"
    data(render(request.answers, title=title))


def _submit(connection: Connection, request: Request, yes: bool) -> None:
    from trustquery.projects.five_safes import render

    desk = connection.applications()
    application = desk.draft(request, connection.federation)
    say(render(application.model_dump(mode="json"), title=f"{request.project}, as it will be signed and published"))
    confirm_act("Sign and submit exactly this?", yes=yes)
    desk.submit(application, own_key(connection))


def questions() -> None:
    """List the application's questions: how to answer each, and which column of the public register it fills.

    Example: tq project questions
    """
    from trustquery.cli.output import data
    from trustquery.projects.answers import choices
    from trustquery.projects.questions import QUESTIONS, Kind, Safe

    for safe in Safe:
        data(f"\n{safe.value}")
        for question in (item for item in QUESTIONS if item.safe is safe):
            data(f"  {question.name} ({question.kind.value}): {question.ask}\n      {question.hint}")
            if question.kind is Kind.CHOICE:
                data(f"      one of: {', '.join(choices(question.name))}")
    say("next: tq project apply NAME, or tq project apply NAME --file application.toml")


def terms() -> None:
    """Show the terms that every applicant agrees to.

    Example: tq project terms
    """
    from trustquery.cli.output import data
    from trustquery.projects.terms import terms_sha256, terms_text

    data(terms_text().rstrip("\n"))
    say(f"version {terms_sha256()[:16]}…")


def amend(name: Name) -> None:
    """Start an amendment of an approved project: a new application that begins with the old answers.

    The permit in use goes on until the new one is approved and trusts have accepted it.

    Example: tq project amend stay-lengths
    """
    with reporting():
        from trustquery.cli.connecting import connect

        with connect() as connection:
            connection.applications().amend(name)
        say(f"an amendment of {name} was started. next: tq project apply {name} --set QUESTION=ANSWER")


def withdraw(name: Name, yes: Yes = False) -> None:
    """Take an application back, decided or not. Its name stays taken.

    Example: tq project withdraw stay-lengths
    """
    with reporting():
        from trustquery.cli.connecting import connect

        confirm_act(f"Take the application of {name} back?", yes=yes)
        with connect() as connection:
            connection.applications().withdraw(name)
        say(f"the application of {name} was withdrawn. next: tq project list")


def close(
    name: Name,
    findings: Annotated[str, typer.Option(help="What came of it, in plain words, for the public.")],
    kept: Annotated[str, typer.Option(help="What you keep of the results, where, and until when.")],
    output: Annotated[list[str] | None, typer.Option(help="A publication or other output; several times.")] = None,
    yes: Yes = False,
) -> None:
    """Close a project for good, with a signed report. It stays on the public register.

    Example: tq project close stay-lengths --findings "Stays were shorter." --kept "Tables, until 2030"
    """
    with reporting():
        from trustquery.cli.connecting import connect

        say(f"findings: {findings}\noutputs: {'; '.join(output or []) or 'none'}\nkept: {kept}")
        confirm_act(f"Sign this report and close {name}? Nothing can be asked afterwards.", yes=yes)
        with connect() as connection:
            connection.applications().close(name, findings, output or [], kept, own_key(connection))
        say(f"{name} is closed. next: tq register export")

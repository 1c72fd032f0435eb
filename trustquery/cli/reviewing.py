"""``tq release list``, ``show``, ``approve`` and ``return``: output checkers look at merged results first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trustquery.cli.confirm import confirm_act
from trustquery.cli.output import Format, data_json, reporting, say
from trustquery.cli.tables import show_rows
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from trustquery.client.reviews import InReview

__all__ = ["approve", "list_reviews", "send_back", "show"]

FormatOption = Annotated[Format, typer.Option("--format", help="How to write to stdout.")]
Release = Annotated[str, typer.Argument(help="The release's id, or its first 8 digits or more.")]
Key = Annotated[
    Path | None, typer.Option(help="The key of the account that you are signed in with, if it is not in its place.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask: you have looked with `tq release show`.")]
STAGES = {
    "none": "waits for two verdicts",
    "one": "waits for one verdict",
    "differ": "two verdicts differ: each of the two signs again",
    "approved": "approved: shown at the deadline",
    "refused": "returned: its project is told at the deadline",
}


def _reasons_help() -> str:
    from trustquery.reviews import EXPLAINED

    return "Why; may be given several times. " + " ".join(f"{code}: {words}." for code, words in EXPLAINED.items())


def list_reviews(form: FormatOption = Format.TABLE) -> None:
    """List the merged results that wait for output checkers, and until when verdicts count.

    Example: tq release list
    """
    with reporting():
        from trustquery.client import connect
        from trustquery.question.result import moment

        with connect() as connection:
            found = connection.reviews().everyone()
        if not found:
            say("Nothing waits for you.")
            return
        rows = [
            row | {"id": row["query"][:12], "until": f"{moment(row['deadline'])} UTC", "state": STAGES[row["stage"]]}
            for row in found
        ]
        columns = {"id": "Release", "project": "Project", "until": "Verdicts count until", "state": "State"}
        show_rows(rows, columns, form)
        say(f"next: tq release show {rows[0]['id']}")


def show(release: Release, form: FormatOption = Format.TABLE) -> None:
    """Show a merged result in review: the question in words, and the figures. Nobody's first verdict is shown before
    both are in. Every trust's signature is checked here, and the table is read here.

    Example: tq release show 3f2a9c01
    """
    with reporting():
        from trustquery.client import connect

        with connect() as connection:
            found = connection.reviews().get(release)
        _show(found, form)
        say(f"next: tq release approve {found.intent.release_id[:12]}, or: tq release return, with --reason")


def _show(found: InReview, form: Format) -> None:
    """The question in words, verdicts where both are in, and the figures."""
    from trustquery.cli.show import show_table
    from trustquery.projects.register import said
    from trustquery.question.result import moment

    for line in found.words:
        say(said(line))
    say(f"The code: {said(str(found.raw['sql']))}")
    say(f"Verdicts count until {moment(int(found.raw['deadline']))} UTC; it {STAGES[found.stage.value]}.")
    for item in found.raw["verdicts"]:
        say(f"  {item['person']}, round {item['round']}: {', '.join([item['verdict'], *item['reasons']])}")
    for note in found.result.notes:
        say(note)
    say(f"The figures have noise in them already. What you sign names them by this hash: {found.digest}")
    if form is not Format.TABLE:
        facts = {"release": found.intent.release_id, "stage": found.stage.value, "sha256": found.digest}
        data_json(facts | {"table": found.result.table.document(), "cells": found.cells.document()})
        return
    show_table(found.result.table)
    if found.cells.document() != found.result.table.document():
        say("Every cell, also those that the question filters or cuts off afterwards:")
        show_table(found.cells)


def approve(release: Release, key: Key = None, yes: Yes = False) -> None:
    """Sign that this very table may be shown at the deadline. It takes two output checkers who have no part in it.

    Example: tq release approve 3f2a9c01
    """
    with reporting():
        _give(release, key, (), yes)


def send_back(
    release: Release,
    reason: Annotated[list[str], typer.Option(help=_reasons_help())],
    key: Key = None,
    yes: Yes = False,
) -> None:
    """Sign that this table is not to be shown, with reasons from the closed list. What it cost stays charged.

    Where the other checker approves, both see both verdicts and sign once more. Agreed reasons reach the analyst.

    Example: tq release return 3f2a9c01 --reason small-groups
    """
    with reporting():
        _give(release, key, tuple(reason), yes)


def _give(release: str, path: Path | None, given: tuple[str, ...], yes: bool) -> None:
    from trustquery.cli.signing import load_key
    from trustquery.client import connect
    from trustquery.reviews import Reason, Verdict

    unknown = sorted(set(given) - {reason.value for reason in Reason})
    if unknown:
        known = ", ".join(reason.value for reason in Reason)
        raise TrustQueryError("usage-invalid", place="--reason", problem=f"{unknown[0]} is not one of: {known}")
    verdict = Verdict.REFUSE if given else Verdict.APPROVE
    with connect() as connection:
        desk = connection.reviews()
        found = desk.get(release)
        if not yes:
            _show(found, Format.TABLE)
        words = "return" if given else "approve"
        confirm_act(f"Do you {words} exactly this?", yes=yes)
        signing = load_key(path if path is not None else connection.home.key_path(connection.settings))
        stage = desk.decide(found, verdict, (Reason(code) for code in given), signing)
    say(f"your verdict is kept: {words}. The result {STAGES[stage.value]}")
    say("next: tq release list")

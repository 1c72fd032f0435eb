"""``tq release``: what is reviewed before it is shown, and what becomes of a released result."""

from __future__ import annotations

from typing import Annotated

import typer

from trustquery.cli.output import reporting, say
from trustquery.cli.reviewing import approve, list_reviews, send_back, show

__all__ = ["app"]

app = typer.Typer(
    help="Review merged results before they are shown; publish or withdraw a released one.\n\n"
    "Output checkers: tq release list; tq release show RELEASE; then approve or return. Two people, each first alone. "
    "Verdicts are told at the planned deadline, never sooner; without two approvals by then nothing is shown.",
    no_args_is_help=True,
)
app.command("list")(list_reviews)
app.command()(show)
app.command()(approve)
app.command("return")(send_back)

Release = Annotated[str, typer.Argument(help="The query's id, or its first 8 digits or more.")]


@app.command()
def publish(query: Release) -> None:
    """Make the result of a query of your project public, for everybody and for good. You lead the project.

    Example: tq release publish 3f2a9c01
    """
    with reporting():
        from trustquery.cli.connecting import connect

        with connect() as connection:
            found = connection.publish(query)
        say(f"Its result can now be read by everybody, at /public/queries/{found}")
        say(f"next: tq query show {found[:12]}")


@app.command()
def withdraw(
    query: Release,
    reason: Annotated[str, typer.Option(help="Why, in words; it is published.")],
) -> None:
    """Withdraw a release: its entry stays in the public log with your reason, its result is shown no more.

    Example: tq release withdraw 3f2a9c01 --reason "The codelist missed a code."
    """
    with reporting():
        from trustquery.cli.connecting import connect

        with connect() as connection:
            found = connection.withdraw(query, reason)
        say(f"Withdrawn. The log shows that, and why, at /public/queries/{found}")
        say(f"next: tq query show {found[:12]}")

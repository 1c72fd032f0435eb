"""``statement import`` and ``due``, ``root install`` and ``status``: what others sign for the federation."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.opening import opened
from coordinator.cli.output import data, reporting, say
from coordinator.due import due_of
from coordinator.services import wall_clock
from trustquery.errors import TrustQueryError
from trustquery.identity.warnings import days_left, hours_old, warnings_of

__all__ = ["app", "root_app", "status"]

app = typer.Typer(help="The daily revocation statement, which a delegate of the root signs.", no_args_is_help=True)
root_app = typer.Typer(help="The next root, when a root holder's key was lost or passed on.", no_args_is_help=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise TrustQueryError("config-missing", path=path, instead="give the signed document's path") from error


@app.command("import")
def import_(
    context: typer.Context, envelope: Annotated[Path, typer.Argument(help="The signed statement, *.dsse.")]
) -> None:
    """Verify a revocation statement and put it in force; nodes are told at once.

    Example: tq-coordinator statement import statement.dsse
    """
    with reporting():
        found = opened(context).statements.install(_read(envelope), wall_clock())
        say(f"statement {found.version} is in force: {len(found.revoked)} revocations")
        say("next: tq-coordinator status")


@app.command()
def due(context: typer.Context) -> None:
    """List what the coordinator would have the delegate revoke: kind, id, the day it ends by itself, and why.

    Suspended and closed projects' permits, revoked nodes, disabled accounts' keys. It decides nothing: the delegate
    asks the people concerned, and puts on the list what is right.

    Example: tq-coordinator statement due
    """
    with reporting():
        found = due_of(opened(context), wall_clock())
        for item in found:
            ends = f"{datetime.datetime.fromtimestamp(item.until, datetime.UTC):%Y-%m-%d}" if item.until else ""
            data(f"{item.kind}\t{item.id}\t{ends}\t{item.why}")
        say(f"{len(found)} that no statement has yet")
        say("next, at the delegate, for each that is right: tq federation revoke --list FILE --KIND ID --reason WHY")


@root_app.command()
def install(
    context: typer.Context,
    root: Annotated[Path, typer.Argument(help="The signed next root, *.dsse.")],
    roster: Annotated[Path, typer.Argument(help="A next roster that the next root signed, *.dsse.")],
) -> None:
    """Verify a next root and its roster, and put both in force; nodes are told at once.

    Example: tq-coordinator root install root-2.dsse roster.dsse
    """
    with reporting():
        base = opened(context)
        found = base.rosters.install_root(_read(root), _read(roster), wall_clock())
        data(found.sha256)
        say(f"root version {found.version} is in force, with roster version {base.rosters.current().version}")
        say("next: tq-coordinator status")


def status(context: typer.Context) -> None:
    """Show the root, the roster and the statement in force, and what ends soon.

    Example: tq-coordinator status
    """
    with reporting():
        base, now = opened(context), wall_clock()
        roster, said = base.rosters.found(), base.statements.found()
        data(f"root\tversion {base.rosters.root.version}\t{base.rosters.root.sha256}")
        if roster is not None:
            data(f"roster\tversion {roster.version}\t{len(roster.nodes)} nodes, {days_left(roster, now)} days left")
        if said is not None:
            data(
                f"statement\tversion {said.version}\t{len(said.revoked)} revocations, {hours_old(said, now)} hours old"
            )
        warnings = warnings_of(roster, said, now)
        for warning in warnings:
            data(f"warning\t\t{warning}")
        say("next: " + ("tq-coordinator roster draft" if roster is None else "tq-coordinator statement due"))

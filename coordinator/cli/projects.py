"""``project add``, ``list`` and ``end``."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.opening import opened
from coordinator.cli.output import data, reporting, say
from coordinator.projects import read_permit, verify_permit
from coordinator.services import wall_clock
from coordinator.store import ProjectRow
from trustquery.errors import TrustQueryError

__all__ = ["app"]

app = typer.Typer(help="Projects and their signed permits.", no_args_is_help=True)


@app.command()
def add(
    context: typer.Context,
    permit: Annotated[Path, typer.Option(help="The permit, signed by two committee members (*.dsse).")],
) -> None:
    """Take in a project, or a later version of its permit. Each trust still decides for itself.

    Example: tq-coordinator project add --permit permit.dsse
    """
    with reporting():
        base = opened(context)
        try:
            found = permit.read_bytes().strip()
        except OSError as error:
            raise TrustQueryError("config-missing", path=permit, instead="give the signed permit's path") from error
        document, envelope = verify_permit(found, base.rosters.current())
        now = wall_clock()
        if document.expires <= now:
            raise TrustQueryError("project-ended", project=document.project)
        row = ProjectRow(
            name=document.project,
            version=document.version,
            permit=found,
            permit_hash=envelope.sha256,
            state="live",
            added=now,
        )
        if not base.store.projects.put(row):
            raise TrustQueryError("policy-document-stale", document="permit")
        data(envelope.sha256)
        say(f"project {document.project}, permit version {document.version}: nodes are told now")
        say(f"next, at each trust: tq-node project accept {document.project}")


@app.command("list")
def list_projects(context: typer.Context) -> None:
    """List projects.

    Example: tq-coordinator project list
    """
    with reporting():
        for row in opened(context).store.projects.everyone():
            permit = read_permit(row)
            until = datetime.datetime.fromtimestamp(permit.expires, datetime.UTC).date().isoformat()
            data(f"{row.name}\t{row.state}\tversion {row.version}\tuntil {until}\t{permit.title}")


@app.command()
def end(context: typer.Context, name: Annotated[str, typer.Argument(help="The project.")]) -> None:
    """End a project now: no further query is taken for it.

    Example: tq-coordinator project end stay-lengths
    """
    with reporting():
        if not opened(context).store.projects.end(name):
            raise TrustQueryError("project-unknown", project=name)
        say(f"project {name} has ended")

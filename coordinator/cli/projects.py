"""``project add`` and ``list``."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.opening import opened
from coordinator.cli.output import data, reporting, say
from coordinator.projects import read_permit
from coordinator.projects.office import ProjectOffice
from coordinator.projects.taking_in import take_in
from coordinator.services import wall_clock
from trustquery.errors import TrustQueryError

__all__ = ["app"]

app = typer.Typer(help="Projects and their signed permits.", no_args_is_help=True)


@app.command()
def add(
    context: typer.Context,
    application: Annotated[Path, typer.Option(help="The application, signed by its lead (*.dsse).")],
    permit: Annotated[Path, typer.Option(help="The permit, signed by two committee members (*.dsse).")],
) -> None:
    """Take in a project that was decided on paper or at another place. Each trust still decides for itself.

    Everything is checked as if it had come step by step: the usual way is `tq project apply` and `tq request approve`.

    Example: tq-coordinator project add --application application.dsse --permit permit.dsse
    """
    with reporting():
        base = opened(context)
        office = ProjectOffice(base.store, base.rosters, base.settings.federation, wall_clock)
        row = take_in(office, _read(application), _read(permit))
        data(row.permit_hash)
        say(f"project {row.name}, permit version {row.version}: nodes are told now")
        say(f"next, at each trust: tq-node project accept {row.name}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise TrustQueryError("config-missing", path=path, instead="give the signed document's path") from error


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

"""``user add``, ``disable`` and ``list``."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from coordinator.cli.opening import opened
from coordinator.cli.output import data, reporting, say
from coordinator.services import Base, wall_clock
from trustquery.errors import TrustQueryError
from trustquery.protocol.enrolment import ConnectionCode

__all__ = ["app", "connection_code"]

app = typer.Typer(help="People who may sign in.", no_args_is_help=True)


def connection_code(base: Base) -> str:
    """What a client needs to find this coordinator and to recognise it; nothing secret."""
    return ConnectionCode(base.settings.api.public, base.desk.authority_sha256(), base.root.sha256).text


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Sign-in name.")],
    key: Annotated[str, typer.Option(help="Public key, 64 hexadecimal digits, as `tq login --new-key` printed it.")],
) -> None:
    """Add a person; prints the connection code for their `tq login` on stdout.

    Example: tq-coordinator user add ada --key 5d1f…
    """
    with reporting():
        base = opened(context)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) or not re.fullmatch(r"[0-9a-f]{64}", key):
            raise TrustQueryError(
                "usage-invalid", problem="a name is plain letters and digits, a key 64 hexadecimal digits"
            )
        if not base.store.people.add(name, key, wall_clock()):
            raise TrustQueryError("usage-invalid", problem=f"the name {name} or this key is in use")
        data(connection_code(base))
        say(f"{name} may sign in. next, at their machine: tq login --connect CODE --user {name}")


@app.command()
def disable(context: typer.Context, name: Annotated[str, typer.Argument(help="Sign-in name.")]) -> None:
    """End a person's access at once; their history stays.

    Example: tq-coordinator user disable ada
    """
    with reporting():
        if not opened(context).store.people.disable(name):
            raise TrustQueryError("usage-invalid", problem=f"there is no user {name}")
        say(f"{name} can no longer sign in")


@app.command("list")
def list_people(context: typer.Context) -> None:
    """List people.

    Example: tq-coordinator user list
    """
    with reporting():
        for user in opened(context).store.people.everyone():
            data(f"{user.name}\t{'disabled' if user.disabled else 'active'}\t{user.public_key}")

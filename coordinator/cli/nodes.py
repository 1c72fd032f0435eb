"""``node invite``, ``approve``, ``list`` and ``revoke``."""

from __future__ import annotations

import datetime
from typing import Annotated

import typer

from coordinator.cli.opening import opened
from coordinator.cli.output import data, reporting, say
from coordinator.services import wall_clock
from trustquery.errors import TrustQueryError

__all__ = ["app"]

app = typer.Typer(help="Trusts' nodes: invite, approve, list, revoke.", no_args_is_help=True)

Ods = Annotated[str, typer.Argument(help="The trust's ODS code, such as RX1.")]


@app.command()
def invite(
    context: typer.Context,
    ods: Ods,
    name: Annotated[str, typer.Option(help="The trust's name in words.")],
    minutes: Annotated[int, typer.Option(min=1, max=7 * 24 * 60, help="How long the code may be used.")] = 15,
) -> None:
    """Make a one-time enrolment code for one trust; print it on stdout.

    Example: tq-coordinator node invite RX1 --name "Northern General"
    """
    with reporting():
        code = opened(context).desk.invite(ods, name, minutes * 60)
        data(code)
        say(f"valid once, for {minutes} minutes. Give {ods} the code and the root's fingerprint over two channels.")
        say(f"next, at the trust: tq-node enrol CODE; then here: tq-coordinator node approve {ods}")


@app.command()
def approve(
    context: typer.Context,
    ods: Ods,
    yes: Annotated[bool, typer.Option("--yes", help="The words have been compared already.")] = False,
) -> None:
    """Approve a pending node, after comparing the 12 words by telephone.

    Example: tq-coordinator node approve RX1
    """
    with reporting():
        base = opened(context)
        row = base.store.nodes.get(ods)
        if row is None or row.status != "pending":
            raise TrustQueryError("node-unknown", node=ods)
        say(f"{ods}, {row.name}: the node must show these words:")
        data(row.words)
        if not yes and not typer.confirm("Did somebody at the trust read out exactly these words?", err=True):
            raise TrustQueryError("node-not-approved", ods=ods)
        base.desk.approve(ods)
        say(f"{ods} approved. Its answers count once the root holders sign a roster that lists it:")
        say("next: tq-coordinator roster draft")


@app.command("list")
def list_nodes(context: typer.Context) -> None:
    """List nodes and open invitations.

    Example: tq-coordinator node list
    """
    with reporting():
        base = opened(context)
        roster = base.rosters.found()
        for row in base.store.nodes.everyone():
            listed = "on" if roster is not None and roster.node(row.node) is not None else "not on"
            seen = f"{datetime.datetime.fromtimestamp(row.last_seen, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
            last = seen if row.last_seen else "never"
            data(f"{row.ods}\t{row.status}\t{listed} the roster\tseen {last}\t{row.name}")
        for code in base.store.nodes.invitations(wall_clock()):
            data(f"{code.ods}\tinvited\t\t\t{code.name}")


@app.command()
def revoke(
    context: typer.Context,
    ods: Ods,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Cut a node off at once. Then draft a roster without it.

    Example: tq-coordinator node revoke RX1
    """
    with reporting():
        base = opened(context)
        if not yes and not typer.confirm(f"Cut {ods} off?", err=True):
            raise TrustQueryError("usage-invalid", problem="nothing was changed")
        if not base.store.nodes.revoke(ods):
            raise TrustQueryError("node-unknown", node=ods)
        say(f"{ods} is cut off. next: tq-coordinator roster draft, and have it signed")

"""``node invite``, ``approve``, ``resolve-clone``, ``list``, ``history`` and ``revoke``."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.opening import opened
from coordinator.cli.output import data, reporting, say
from coordinator.services import Base, wall_clock
from trustquery.errors import TrustQueryError
from trustquery.identity.admission import Act

__all__ = ["app"]

app = typer.Typer(help="Trusts' nodes: invite, approve, list, revoke, resolve a suspected clone.", no_args_is_help=True)

Ods = Annotated[str, typer.Argument(help="The trust's ODS code, such as RX1.")]
Persons = Annotated[
    list[str], typer.Option("--as", help="Who approves, as `user list` names the person. May be repeated.")
]
Keys = Annotated[list[Path], typer.Option(help="That person's own key file; one for each --as, in the same order.")]
Compared = Annotated[bool, typer.Option("--yes", help="The words have been compared already.")]
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command()
def invite(
    context: typer.Context,
    ods: Ods,
    name: Annotated[str, typer.Option(help="The trust's name in words; else its ODS code.")] = "",
    minutes: Annotated[int, typer.Option(min=15, max=7 * 24 * 60, help="How long the code may be used.")] = 15,
    person: Annotated[
        str,
        typer.Option(
            "--as",
            help="Who invites; they cannot approve what comes of it. A note: nobody signs it, no key is asked for.",
        ),
    ] = "",
) -> None:
    """Make a one-time enrolment code for one trust; print it on stdout.

    The code lets a node ask, and admits none: two people sign for that, each with their own key. So --as is the word of
    whoever has this shell, and is recorded as that.

    Example: tq-coordinator node invite RX1 --name "Northern General"
    """
    with reporting():
        code = opened(context).desk.invite(ods, name or ods, minutes * 60, by=person)
        data(code)
        say(f"valid once, for {minutes} minutes. Give {ods} the code and the root's fingerprint over two channels.")
        say(f"next, at the trust: tq-node enrol CODE; then here, two people: tq-coordinator node approve {ods} --as …")


@app.command()
def approve(context: typer.Context, ods: Ods, person: Persons, key: Keys, yes: Compared = False) -> None:
    """Approve a pending node, after comparing the 12 words by telephone. It takes two people, each with their own key.

    They need not come together: each runs this with their own name and key, and the second one admits the node.

    Example: tq-coordinator node approve RX1 --as olive --key ~/olive.pem
    """
    with reporting():
        base = opened(context)
        row = base.desk.deciding.pending(ods)
        say(f"{ods}, {row.name}: the node must show these words:")
        data(row.words)
        if not yes and not typer.confirm("Did somebody at the trust read out exactly these words?", err=True):
            raise TrustQueryError("node-not-approved", ods=ods)
        if _signed(base, ods, "admit", person, key, command="approve"):
            say(f"{ods} approved. Its answers count once the root holders sign a roster that lists it:")
            say("next: tq-coordinator roster draft")


@app.command("resolve-clone")
def resolve_clone(context: typer.Context, ods: Ods, person: Persons, key: Keys, yes: Sure = False) -> None:
    """Let a node join again after two copies of it were seen. It takes two people, each with their own key.

    Do so once you know what the second copy was, and that it is gone. Where anybody else may hold it, do not: revoke
    the node, and enrol it again with new keys.

    Example: tq-coordinator node resolve-clone RX1 --as olive --key ~/olive.pem
    """
    with reporting():
        base = opened(context)
        base.desk.deciding.about(ods, "resolve-clone")
        if not yes and not typer.confirm("Is the second copy found, and gone for good?", err=True):
            raise TrustQueryError("node-clone-suspected", node=ods)
        if _signed(base, ods, "resolve-clone", person, key, command="resolve-clone"):
            say(f"{ods} may join again. next: tq-coordinator node history {ods}")


def _signed(base: Base, ods: str, act: Act, persons: list[str], keys: list[Path], *, command: str) -> bool:
    """Have each person sign; tells whether that is enough, and where it is not, says what a second one runs."""
    from trustquery.cli.signing import load_key

    if len(persons) != len(keys):
        raise TrustQueryError("usage-invalid", problem="give one --key for each --as, in the same order")
    left = 0
    for person, path in zip(persons, keys, strict=True):
        key = load_key(path)
        base.desk.deciding.account(person, key)
        _, left = base.desk.approve(base.desk.deciding.draft(ods, act).sign(key).encode())
        say(f"{person} has approved")
    if left:
        say(f"next: a second person runs tq-coordinator node {command} {ods} --as PERSON --key FILE")
    return not left


@app.command()
def history(context: typer.Context, ods: Ods) -> None:
    """Show what happened to a node's membership: who invited, approved, renewed, revoked, and when.

    Example: tq-coordinator node history RX1
    """
    with reporting():
        for event in opened(context).store.admissions.events(ods):
            at = datetime.datetime.fromtimestamp(event.at, datetime.UTC)
            data(f"{at:%Y-%m-%dT%H:%M:%SZ}\t{event.action}\t{event.text}")


@app.command("list")
def list_nodes(context: typer.Context) -> None:
    """List nodes and open invitations.

    Example: tq-coordinator node list
    """
    with reporting():
        base = opened(context)
        roster, suspected = base.rosters.found(), base.store.admissions.incidents()
        frozen = base.store.witnessed.frozen()
        for row in base.store.nodes.everyone():
            listed = "on" if roster is not None and roster.node(row.node) is not None else "not on"
            seen = f"{datetime.datetime.fromtimestamp(row.last_seen, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
            last = seen if row.last_seen else "never"
            status = "clone-suspected" if row.ods in suspected else "frozen" if row.node in frozen else row.status
            data(f"{row.ods}\t{status}\t{listed} the roster\tseen {last}\t{row.name}")
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
        base.desk.revoke(ods)
        say(f"{ods} is cut off. next: tq-coordinator roster draft, and have it signed")

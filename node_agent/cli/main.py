"""The ``tq-node`` command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from node_agent.cli import (
    changing,
    configuring,
    enrolling,
    governing,
    ledger_copies,
    optouts,
    people,
    preflight,
    releases,
    repairing,
    replaying,
    reports,
    running,
    sources,
)
from node_agent.cli.opening import permit_of
from node_agent.config import default_home
from trustquery.cli.faults import reporting_faults
from trustquery.cli.policy_tools import PERMIT_OF
from trustquery.cli.program import new_program
from trustquery.cli.version import VersionOption

__all__ = ["app", "main"]

app = new_program(
    "tq-node",
    "Run a trust's node. It reads the trust's data where they are, answers only what the signed policy allows, "
    "and lets nothing leave without noise.\n\n"
    "Start: tq-node config init; tq-node preflight CODE; tq-node enrol CODE; tq-node source refresh; "
    "tq-node policy activate FILE.dsse; tq-node run",
)


@app.callback()
def everything(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="The node's home folder; else TQ_NODE_HOME, else ~/.trustquery/node.")
    ] = None,
    version: VersionOption = False,
) -> None:
    """Choose the home folder. What is written from then on is for its owner alone."""
    os.umask(0o077)
    context.obj = default_home(home)
    context.meta[PERMIT_OF] = lambda project: permit_of(context, project)


app.add_typer(configuring.app, name="config")
app.command("preflight")(preflight.preflight)
app.command("enrol")(enrolling.enrol)
app.command("run")(running.run)
app.command("status")(running.status)
app.add_typer(sources.app, name="source")
app.add_typer(optouts.app, name="optout")
_CHANGES = (changing.sign, changing.activate, changing.pending, changing.withdraw, changing.history, replaying.replay)
for command in _CHANGES:
    governing.policy_app.command()(command)
app.add_typer(governing.policy_app, name="policy")
app.add_typer(governing.project_app, name="project")
app.add_typer(releases.app, name="release")
running.ledger_app.command("repair")(repairing.repair)
app.add_typer(running.ledger_app, name="ledger")
running.ledger_app.command("backup")(ledger_copies.backup)
running.ledger_app.command("restore")(ledger_copies.restore)
_PEOPLE = (people.init, people.people, people.add, people.rotate, people.lost, people.sign, people.activate)
for act in _PEOPLE:
    enrolling.keys_app.command()(act)
app.add_typer(enrolling.keys_app, name="keys")
app.command("report")(reports.report)
app.command("pause")(running.pause)
app.command("resume")(running.resume)
app.command("stop")(running.stop)


def main() -> None:
    """Entry point."""
    reporting_faults(app)

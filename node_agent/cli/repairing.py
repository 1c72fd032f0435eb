"""``ledger repair``: what two people decide on a ledger that witnesses have shown to be another life of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from node_agent.cli.opening import home_of, keys_from, now, startup_of
from node_agent.cli.output import Format, FormatOption, reporting, say
from trustquery.errors import TrustQueryError

__all__ = ["repair"]


def repair(
    context: typer.Context,
    key: Annotated[list[Path] | None, typer.Option(help="A governance person's key; give two.")] = None,
    adopt: Annotated[
        Path | None, typer.Option(help="The copy of ledger.sqlite that holds what witnesses have cosigned.")
    ] = None,
    exhaust: Annotated[
        bool, typer.Option("--exhaust", help="No copy holds it: count all that was left of the budget as spent.")
    ] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Show why the ledger is frozen; with two people's keys, put the right copy in place or count the budget as spent.

    The node must not run. Nothing is ever given back.

    Example: tq-node ledger repair --adopt /mnt/old-disk/ledger.sqlite --key ~/keys/alice.pem --key ~/keys/bob.pem
    """
    with reporting("ledger repair", form) as reply:
        from node_agent.config import load_config
        from node_agent.repairing import adopt as adopt_copy
        from node_agent.repairing import exhaust as exhaust_budget
        from node_agent.repairing import frozen_heads

        home = home_of(context)
        ours, theirs, _ = frozen_heads(home)
        if adopt is not None and exhaust:
            raise TrustQueryError("usage-invalid", problem="choose one of --adopt and --exhaust")
        if adopt is None and not exhaust:
            reply.facts({"frozen": True, "entries_here": ours.size, "entries_witnessed": theirs.size})
            say("witnesses have cosigned a head of this ledger that it does not hold: nothing leaves")
            say("next: tq-node stop; then tq-node ledger repair --adopt FILE, or --exhaust, with two --key")
            return
        startup, keys = startup_of(home), keys_from(key or [])
        if adopt is not None:
            aside = adopt_copy(home, startup, adopt, keys, now())
            say(f"in place; the frozen one is kept as {aside.name}")
            say("next: tq-node run; witnesses decide whether it is the newest")
            return
        marks = exhaust_budget(home, load_config(home), startup, keys, now())
        say(f"counted as spent: all that was left, in {marks} scopes")
        say("next: enrol the node anew with a new key, as docs/how-to/repair-a-ledger.md shows")

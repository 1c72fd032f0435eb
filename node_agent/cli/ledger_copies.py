"""``ledger backup`` and ``ledger restore``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from node_agent.cli.opening import home_of
from node_agent.cli.output import Format, FormatOption, reporting, say

__all__ = ["backup", "restore"]


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A new file.")],
    form: FormatOption = Format.TABLE,
) -> None:
    """Copy the verified ledger into one file, as one moment saw it; also while the node runs.

    Example: tq-node ledger backup /backup/ledger-monday.sqlite
    """
    with reporting("ledger backup", form) as reply:
        from node_agent.budget.backup import back_up

        number = back_up(home_of(context).ledger, file)
        reply.rows([{"file": str(file), "entries": number}], {"file": "File", "entries": "Entries"})
        say("It holds answers that were released and who asked: keep it as safe as the node's disk.")
        say("next: tq-node ledger verify")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A copy that `ledger backup` made.")],
    form: FormatOption = Format.TABLE,
) -> None:
    """Put a copy in the place of a ledger that is lost or does not verify. A ledger that verifies is never replaced.

    The copy is behind: what was spent since stands with the witnesses alone. The node freezes before it answers
    anything, and two people of the trust decide how it goes on.

    Example: tq-node ledger restore /backup/ledger-monday.sqlite
    """
    with reporting("ledger restore", form) as reply:
        from node_agent.budget.backup import restore as put_back

        number, aside = put_back(file, home_of(context).ledger, int(time.time()))
        kept = str(aside) if aside is not None else ""
        reply.rows([{"entries": number, "former": kept}], {"entries": "Entries", "former": "The former one"})
        say("next: tq-node run; it freezes where its witnesses have seen more. See docs/how-to/repair-a-ledger.md")

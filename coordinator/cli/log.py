"""``log``: what the public log hides, for whoever has a right to know it, or to have it forgotten."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from coordinator.cli.opening import opened
from coordinator.cli.output import data, reporting, say
from trustquery.errors import TrustQueryError

__all__ = ["app"]

app = typer.Typer(help="What entries of the public log hide.", no_args_is_help=True)


@app.command("open")
def open_entry(context: typer.Context, seq: Annotated[int, typer.Argument(help="The entry's number.", min=1)]) -> None:
    """Show an entry with the person and words behind its commitments, and the salt that proves them.

    Example: tq-coordinator --home /srv/tq log open 7
    """
    with reporting():
        store = opened(context).store
        found = store.audit.payloads(seq - 1, 1)
        if not found:
            raise TrustQueryError("usage-invalid", place="SEQ", problem=f"the log has {store.audit.size()} entries")
        salt, person, words = store.audit.opened(seq) or (b"", "", "")
        data(json.dumps({**json.loads(found[0]), "salt": salt.hex(), "person": person, "words": words}, indent=2))
        say("next: tq audit export FOLDER --entry " + str(seq))


@app.command()
def erase(
    context: typer.Context,
    person: Annotated[str, typer.Argument(help="The person, as entries name them behind their commitments.")],
    yes: Annotated[bool, typer.Option("--yes", help="It cannot be undone.")] = False,
) -> None:
    """Erase what opens the entries of a person, for good. The entries stay, and say nothing of anybody.

    Example: tq-coordinator --home /srv/tq log erase ada --yes
    """
    with reporting():
        if not yes:
            raise TrustQueryError("usage-invalid", place="--yes", problem="it cannot be undone: give --yes")
        count = opened(context).store.audit.erase(person)
        say(f"{count} entries of {person} can no longer be opened.")
        say("next: tq-coordinator user disable NAME, where the account goes as well")

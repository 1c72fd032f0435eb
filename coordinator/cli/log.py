"""``log``: what the public log hides, for whoever may know it, or have it forgotten; and its repair after a loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.opening import opened
from coordinator.cli.output import data, reporting, say
from trustquery.errors import TrustQueryError

__all__ = ["app"]

app = typer.Typer(
    help="What entries of the public log hide, and a log that is behind its witnesses.", no_args_is_help=True
)


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


@app.command()
def repair(
    context: typer.Context,
    head: Annotated[
        Path | None,
        typer.Option(help="A head that witnesses have signed; else the one that the coordinator came upon."),
    ] = None,
    anew: Annotated[bool, typer.Option("--new-key", help="Go on as a new log, under a new key.")] = False,
    person: Annotated[list[str] | None, typer.Option("--as", help="Who decides; give two.")] = None,
    key: Annotated[list[Path] | None, typer.Option(help="That person's own key file, in the same order.")] = None,
) -> None:
    """Show how far the log is behind what witnesses have signed; with two people's keys, go on under a new key.

    The coordinator must not run. Nothing that was published is contradicted: the old key signs nothing any more.

    Example: tq-coordinator log repair --new-key --as olive --key ~/olive.pem --as oscar --key ~/oscar.pem
    """
    with reporting():
        from coordinator.repairing import begin_anew, behind_of
        from trustquery.cli.signing import load_key
        from trustquery.log import Checkpoint

        base = opened(context)
        if head is not None and not head.is_file():
            raise TrustQueryError("config-missing", path=head, instead="give the file with the signed head")
        note = head.read_bytes() if head is not None else behind_of(base.home)
        if not note:
            raise TrustQueryError("log-repair-refused", problem="no witness has shown a head that is not here")
        seen, found = Checkpoint.read(note).size, base.store.audit.size()
        if not anew:
            data(f"{seen} entries were signed by witnesses\t{found} are here")
            say("next: find a newer backup; or, with two people: tq-coordinator log repair --new-key")
            return
        persons, keys = person or [], key or []
        if len(persons) != len(keys):
            raise TrustQueryError("usage-invalid", problem="give one --key for each --as, in the same order")
        made = begin_anew(base, note, list(zip(persons, map(load_key, keys), strict=True)))
        data(made.public.hex())
        say("That is the coordinator's new key. Do not start it before the roster names it.")
        say("next: tq-coordinator roster draft; the root holders sign; tq-coordinator roster install")

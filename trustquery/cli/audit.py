"""``tq audit``: the coordinator's log, checked by whoever likes to. Nobody need sign in."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from trustquery.cli.output import Format, reporting, say
from trustquery.cli.tables import show_rows
from trustquery.errors import TrustQueryError

__all__ = ["app"]

app = typer.Typer(help="The public log of everything that happens; nobody need sign in.", no_args_is_help=True)
_COLUMNS = {"log": "Log", "entries": "Entries", "root": "Root", "witnesses": "Witnesses", "about": "About"}


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A folder to be made.")],
    entry: Annotated[int, typer.Option(help="With the proof of this entry, by its number.", min=0)] = 0,
) -> None:
    """Copy the whole log into a folder: the signed head, tiles of hashes, entries.

    Example: tq audit export log-2026-11 --entry 7
    """
    with reporting():
        from trustquery.client import audit
        from trustquery.client.config import find_home

        with audit.over_https(find_home()) as fetch:
            head = audit.export_log(fetch, folder, entry)
        say(f"{head.size} entries of {head.origin} are in {folder}. Nothing was checked yet.")
        say(f"next: tq audit verify {folder}" + (f"; tq audit verify {folder}/{entry}.tlog-proof" if entry else ""))


@app.command()
def verify(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="An exported folder, or a .tlog-proof in one; else the log is fetched.", show_default=False
        ),
    ] = None,
    key: Annotated[
        str, typer.Option(help="The log's verifier key; else the one that the roster names.", show_default=False)
    ] = "",
    witness: Annotated[
        list[str] | None, typer.Option(help="A witness's verifier key; may be repeated.", show_default=False)
    ] = None,
    needed: Annotated[
        int, typer.Option(help="So many witnesses must have signed; -1: as many as --witness names.")
    ] = -1,
    form: Annotated[Format, typer.Option("--format", help="How to write to stdout.")] = Format.TABLE,
) -> None:
    """Check every entry, every tile, the head and its signatures, and that nothing of what was seen before has changed.

    Example: tq audit verify log-2026-11 --key "$(cat log.vkey)" --witness "$(cat witness.vkey)"
    """
    with reporting():
        from trustquery.client import audit
        from trustquery.client.config import find_home
        from trustquery.log import VerifierKey

        home = find_home()
        known = [VerifierKey.read(text) for text in witness or ()]
        if any(not item.witness for item in known):
            raise TrustQueryError("log-key")
        if key or source is not None:
            own = VerifierKey.read(key) if key else audit.kept_key(home)
            if own is None or own.witness:
                raise TrustQueryError("log-key")
            trusted = audit.Trusted(own, {}, 0)
        else:
            trusted = audit.by_roster(home)
        named = {item.name: item.public for item in known}
        least = len(named) if needed < 0 else needed
        trusted = audit.Trusted(trusted.key, {**trusted.witnesses, **named}, least)
        if source is not None and source.suffix == ".tlog-proof":
            entry, head, signed = audit.check_proof(source, trusted)
            about = entry.decode("ascii", errors="backslashreplace")
        else:
            with nullcontext(audit.from_folder(source)) if source is not None else audit.over_https(home) as fetch:
                found = audit.verify(home, fetch, trusted)
            audit.keep(home, trusted.key, found)
            head, signed, about = found.head, found.witnesses, "every entry, tile and signature is good"
        row = {"log": head.origin, "entries": head.size, "root": head.root.hex(), "about": about}
        show_rows([row | {"witnesses": ", ".join(sorted(signed)) or "none"}], _COLUMNS, form)
        if not signed:
            say("No witness that you know signed this head: others may be shown another history. Give --witness.")
        say("next: tq audit verify, again another day: what was seen today must still be there")

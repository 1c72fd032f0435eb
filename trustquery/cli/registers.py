"""``tq register``: the public record, without signing in."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trustquery.cli.output import Format, reporting, say
from trustquery.cli.tables import show_rows
from trustquery.errors import TrustQueryError
from trustquery.errors.catalogue import Exit

__all__ = ["app"]

app = typer.Typer(help="The public register of projects; nobody need sign in.", no_args_is_help=True)


class Kind(StrEnum):
    """How the register is exported."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"
    CRATE = "crate"


_PATHS = {
    Kind.JSON: "/public/register/data.json",
    Kind.CSV: "/public/register/data.csv",
    Kind.HTML: "/public/register",
    Kind.CRATE: "/public/register/crate.zip",
}
FormatOption = Annotated[Format, typer.Option("--format", help="How to write to stdout.")]


@app.command()
def export(
    form: Annotated[Kind, typer.Option("--format", help="JSON carries the signatures; crate is a ZIP.")] = Kind.JSON,
    query: Annotated[
        str, typer.Option(help="With --format crate: this one use, as a Five Safes RO-Crate.", show_default=False)
    ] = "",
    out: Annotated[Path | None, typer.Option(help="A file instead of stdout.", show_default=False)] = None,
) -> None:
    """Export the register as the public sees it.

    Example: tq register export --format csv --out register.csv
    """
    with reporting():
        from trustquery.client.config import find_home
        from trustquery.client.public import fetch_file, fetch_query

        home, path = find_home(), _PATHS[form]
        if query:
            if form is not Kind.CRATE:
                raise TrustQueryError("usage-invalid", "--query", problem="--query goes with --format crate")
            uses = fetch_query(home, query).document["uses"]
            release = next((str(use["release"]) for use in uses if str(use["release"]).startswith(query)), "")
            path = f"/public/releases/{release or uses[-1]['release']}/crate.zip"
        content = fetch_file(home, path)
        if out is not None:
            try:
                out.write_bytes(content)
            except OSError as error:
                raise TrustQueryError("config-missing", path=out, instead="give a path that can be written") from error
        elif form is Kind.CRATE:
            raise TrustQueryError("usage-invalid", "--out", problem="a ZIP archive goes to a file: give --out FILE")
        else:
            sys.stdout.buffer.write(content)
        say("next: tq register verify FILE, of a JSON export")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A JSON export of the register.")],
    root: Annotated[
        Path | None,
        typer.Option(help="The federation's root.json; else the one of your connection.", show_default=False),
    ] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Check an exported register against the signatures in it. Nothing is asked of anybody.

    Example: tq register verify register.json --root root.json
    """
    with reporting():
        from trustquery.client.config import find_home
        from trustquery.client.public import read_root
        from trustquery.identity import Root
        from trustquery.projects.verifying import UNCHECKED, verify_register

        try:
            document = json.loads(file.read_bytes())
            anchor = Root.from_payload(root.read_bytes()) if root is not None else read_root(find_home())
        except OSError as error:
            raise TrustQueryError("config-missing", path=error.filename, instead="give the path of a file") from error
        except (ValueError, RecursionError) as error:
            raise TrustQueryError("auth-document", document="register", problem="it is not JSON") from error
        if not isinstance(document, dict):
            raise TrustQueryError("auth-document", document="register", problem="it is not a register")
        findings = verify_register(document, anchor)
    rows = [
        {
            "project": item.project or "-",
            "about": item.about,
            "found": "good" if item.holds else "WRONG",
            "text": item.text,
        }
        for item in findings
    ]
    show_rows(rows, {"project": "Project", "about": "About", "found": "Found", "text": "In words"}, form)
    wrong = sum(not item.holds for item in findings)
    say(f"{len(findings) - wrong} checks good, {wrong} wrong.")
    say("Not checked, because no signature could show it:")
    for line in UNCHECKED:
        say(f"  {line}")
    if wrong:
        raise typer.Exit(Exit.CHECK_FOUND_PROBLEMS)
    say("next: tq query show HASH, for any use in the public log")

"""``tq permit``: the data access committee's signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trustquery.cli.output import reporting, say
from trustquery.cli.signing import sign_file

__all__ = ["app"]

app = typer.Typer(help="Project permits, signed by two people of the data access committee.", no_args_is_help=True)


@app.command()
def sign(
    permit: Annotated[Path, typer.Argument(help="The permit: JSON, or an envelope that a colleague has signed.")],
    key: Annotated[list[Path], typer.Option(help="A committee member's key; may be given several times.")],
    out: Annotated[Path | None, typer.Option(help="Where the envelope goes; else the same name with .dsse.")] = None,
) -> None:
    """Read a permit out, add a signature, write the envelope.

    Example: tq permit sign permit.json --key ~/keys/casey.pem
    """
    with reporting():
        from trustquery.identity import Permit

        sign_file(permit, key, out, (Permit,))
        say("next, once two members have signed: tq-coordinator project add --application FILE --permit FILE")


@app.command()
def draw(
    application: Annotated[Path, typer.Argument(help="The application, signed by its lead (*.dsse).")],
    out: Annotated[Path, typer.Option(help="Where the permit goes, to be signed.")],
    version: Annotated[int, typer.Option(min=1, help="1 for the first permit, then one more each time.")] = 1,
) -> None:
    """Draw the permit that approves an application, on a machine of its own. `tq request approve` does it online.

    Example: tq permit draw application.dsse --out permit.json
    """
    with reporting():
        import json
        import time

        from trustquery.cli.signing import read_bytes, write_new
        from trustquery.projects.application import Application
        from trustquery.projects.five_safes import render
        from trustquery.projects.permits import begins, permit_from

        found = Application.read_signed(read_bytes(application))
        say(render(found.model_dump(mode="json"), title=f"{found.project}, application version {found.version}"))
        permit = permit_from(found, version, begins(found, int(time.time())))
        write_new(out, json.dumps(permit.model_dump(mode="json"), indent=2).encode())
        say(f"wrote {out}. next, two members: tq permit sign {out} --key FILE")

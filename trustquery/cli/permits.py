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
        say("next, once two members have signed: tq-coordinator project add --permit FILE")

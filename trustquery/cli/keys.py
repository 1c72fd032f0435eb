"""``tq key``: a personal signing key in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trustquery.cli.output import data, reporting, say

__all__ = ["app"]

app = typer.Typer(help="Personal signing keys of committee members and governance people.", no_args_is_help=True)


Paths = Annotated[list[Path], typer.Argument(help="Where to keep the private key; give several for several keys.")]


@app.command()
def new(path: Paths) -> None:
    """Make a personal Ed25519 key; print its public half on stdout.

    Example: tq key new ~/keys/casey.pem
    """
    with reporting():
        from trustquery.identity import SigningKey

        for place in path:
            key = SigningKey.generate()
            key.save(place)
            data(key.public.hex())
            say(f"private key in {place}, readable by you alone; key id {key.key_id}")


@app.command()
def show(path: Annotated[Path, typer.Argument(help="The private key's file.")]) -> None:
    """Print the public half of a key.

    Example: tq key show ~/keys/casey.pem
    """
    with reporting():
        from trustquery.identity import SigningKey

        key = SigningKey.load(path)
        data(key.public.hex())
        say(f"key id {key.key_id}")

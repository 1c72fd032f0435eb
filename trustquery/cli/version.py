"""``--version``, the same for every command of ours."""

from __future__ import annotations

from typing import Annotated

import typer

from trustquery import __version__
from trustquery.cli.output import data

__all__ = ["VersionOption"]


def _show(wanted: bool) -> None:
    if wanted:
        data(f"trustquery {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", help="Print the version and end.", callback=_show, is_eager=True)
]

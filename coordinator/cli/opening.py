"""Opening the home folder for a command."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import typer

from coordinator.config import database_url, find_home, load_settings
from coordinator.services import Base, open_base
from coordinator.store import Store

__all__ = ["opened", "opened_store"]


def opened(context: typer.Context) -> Base:
    """The coordinator's home, from ``--home`` or the environment.

    Raises:
        TrustQueryError: ``config-…``.
    """
    home = find_home(cast(Path | None, context.obj))
    return open_base(home, load_settings(home))


def opened_store(context: typer.Context) -> Store:
    """Its database alone, whatever schema that has.

    Raises:
        TrustQueryError: ``config-…``.
    """
    home = find_home(cast(Path | None, context.obj))
    return Store(database_url(home, load_settings(home)))

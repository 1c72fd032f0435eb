"""``backup`` and ``restore``."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, cast

import typer

from coordinator.cli.output import data, reporting, say
from coordinator.config import find_home, load_settings
from trustquery.errors import TrustQueryError

__all__ = ["backup", "restore"]


def backup(context: typer.Context, folder: Annotated[Path, typer.Argument(help="A new folder.")]) -> None:
    """Copy settings, keys and a consistent state of the database into a new folder; also while the coordinator runs.

    The folder holds private keys: keep it encrypted, and where the coordinator's own disk is not.

    Example: tq-coordinator --home /srv/tq backup /backup/tq-monday
    """
    with reporting():
        from coordinator.backup import make_backup
        from coordinator.services import wall_clock

        home = find_home(cast(Path | None, context.obj))
        rows = make_backup(home, load_settings(home), folder, wall_clock())
        data(str(folder))
        say(f"{rows} rows. It holds private keys: encrypt it.")
        say(f"next, where it is needed: tq-coordinator --home NEW restore {folder}")


def restore(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A backup.")],
    database: Annotated[
        Path | None, typer.Option(help="A file with the URL of a new, empty PostgreSQL database.", show_default=False)
    ] = None,
) -> None:
    """Make a new home folder and database of a backup. Everybody signs in anew, and open codes are used up.

    Example: tq-coordinator --home /srv/tq-new restore /backup/tq-monday
    """
    with reporting():
        from coordinator.backup import restore_backup
        from coordinator.services import wall_clock

        home = find_home(cast(Path | None, context.obj))
        url = database.read_text(encoding="utf-8").strip() if database is not None and database.is_file() else ""
        if database is not None and not url:
            raise TrustQueryError("config-missing", path=database, instead="write the database's URL into it")
        found = restore_backup(folder, home, wall_clock(), database=url)
        made = datetime.datetime.fromtimestamp(found.made, datetime.UTC)
        data(str(home.path))
        say(f"{found.rows} rows, as of {made:%Y-%m-%d %H:%M:%S} UTC. What came after is not here: install the newest")
        say("roster and revocation statement, and revoke again whoever was revoked since.")
        say("next: tq-coordinator config check")

"""``store status`` and ``store upgrade``."""

from __future__ import annotations

import typer

from coordinator.cli.opening import opened, opened_store
from coordinator.cli.output import data, reporting, say

__all__ = ["app"]

app = typer.Typer(help="The coordinator's database: its version, and bringing it up to date.", no_args_is_help=True)


@app.command()
def status(context: typer.Context) -> None:
    """Show which database it is, its schema's version, and the replicas that run on it now.

    Example: tq-coordinator --home /srv/tq store status
    """
    with reporting():
        store = opened(context).store
        data(f"database\t{'sqlite' if store.sqlite else 'postgresql'}")
        data(f"schema\t{store.version()}")
        for name in store.fleet.replicas().values():
            data(f"replica\t{name}")
        say("next: tq-coordinator backup FOLDER")


@app.command()
def upgrade(context: typer.Context) -> None:
    """Bring the database to this version's schema, in one transaction. Make a backup first: there is no way back.

    A SQLite file is brought up to date by every command; a PostgreSQL database by this one alone. Stop replicas of the
    older version before, and start them on the new one afterwards.

    Example: tq-coordinator --home /srv/tq store upgrade
    """
    with reporting():
        store = opened_store(context)
        before = store.create()
        say(f"the schema was {before} and is {store.version()}")
        say("next: tq-coordinator run")

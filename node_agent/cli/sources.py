"""``source check`` and ``source refresh``."""

from __future__ import annotations

from typing import Any

import typer

from node_agent.cli.opening import home_of
from node_agent.cli.output import Format, FormatOption, reporting, say
from trustquery.errors import TrustQueryError

__all__ = ["app"]

app = typer.Typer(help="This trust's data: check the files, prepare them for queries.", no_args_is_help=True)


@app.command()
def check(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """Look at every source and say which tables of the catalogue it holds. Nothing is stored.

    Example: tq-node source check
    """
    with reporting("source check", form) as reply:
        from node_agent.config import load_config
        from node_agent.sources.prepare import check_sources

        home = home_of(context)
        found = check_sources(load_config(home).sources, home.resolve)
        rows = [{"dataset": dataset, "table": table, "result": result} for dataset, table, result in found]
        reply.rows(rows, {"dataset": "Dataset", "table": "Table", "result": "Result"})
        if any(row["result"] not in ("ok", "not held here") for row in rows):
            say("some tables cannot be used as they are. next: correct the files or node.toml")
            raise typer.Exit(3)
        say("next: tq-node source refresh")


@app.command()
def refresh(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """Prepare the next data version from every source; a running node uses it from the next query on.

    The counts below are for this trust alone; they are never sent anywhere.

    Example: tq-node source refresh
    """
    with reporting("source refresh", form) as reply:
        from node_agent.config import load_config
        from node_agent.sources.prepare import refresh as prepare

        home = home_of(context)
        config = load_config(home)
        if not config.sources:
            raise TrustQueryError("config-invalid", place="source", problem="node.toml has no [[source]]")

        def progress(table: str, share: float) -> None:
            say(f"  {share:4.0%}  {table}")

        home.create()
        store = prepare(config.sources, home.resolve, home.store, progress, threads=config.engine.threads)
        rows: list[dict[str, Any]] = [
            {
                "dataset": report.dataset,
                "table": report.table,
                "rows_in": report.rows_in,
                "rows": report.rows,
                "without_person": report.without_person,
                "unreadable": sum(report.unreadable.values()),
            }
            for report in store.reports
        ]
        columns = {
            "dataset": "Dataset",
            "table": "Table",
            "rows_in": "Rows read",
            "rows": "Rows prepared",
            "without_person": "Without person",
            "unreadable": "Unreadable values",
        }
        reply.rows(rows, columns)
        say(f"data version {store.data_version} is in use. next: tq-node run")

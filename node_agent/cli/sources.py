"""``source check``, ``refresh``, ``input`` and ``inputs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node_agent.cli.opening import home_of
from node_agent.cli.output import Format, FormatOption, reporting, say
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from node_agent.config import Home
    from trustquery.codelists import PublicTable
    from trustquery.projects.inputs import InputDecision

__all__ = ["app"]

app = typer.Typer(
    help="This trust's data: check the files, prepare them for queries; public tables.", no_args_is_help=True
)


@app.command()
def check(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """Look at every source and say which tables of the catalogue it holds. Nothing is stored.

    Example: tq-node source check
    """
    with reporting("source check", form) as reply:
        from node_agent.config import load_config
        from node_agent.preparing import check as check_sources

        home = home_of(context)
        found = check_sources(home, load_config(home))
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
        from node_agent.optout.current import current_lists
        from node_agent.preparing import prepare

        home = home_of(context)
        config = load_config(home)
        if not config.sources:
            raise TrustQueryError("config-invalid", place="source", problem="node.toml has no [[source]]")

        def progress(table: str, share: float) -> None:
            say(f"  {share:4.0%}  {table}")

        home.create()
        with current_lists(home, config):
            store = prepare(home, config, progress)
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


@app.command("input")
def install_input(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A public table, CSV or JSON, as the project gave it to you.")],
    name: Annotated[
        str, typer.Option(metavar="NAME[@VERSION]", help="Its name in queries; else the file's.", show_default=False)
    ] = "",
    approval: Annotated[
        Path | None, typer.Option(help="Its signed approval: refuse unless it approves this very content.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show it; install nothing.")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Check a codelist or look-up and install it. A query uses it only if it pins this very content.

    With --approval the signature of the data access committee's member is checked with the roster that this node holds.
    Without it, compare the hash with the one that the project told you.

    Example: tq-node source input icd10_stroke@1.json --approval icd10_stroke@1.dsse
    """
    with reporting("source input", form) as reply:
        from node_agent.cli.opening import read_file
        from node_agent.inputs import InputFolder
        from trustquery.codelists import read_table, split_name

        home = home_of(context)
        chosen, version = split_name(name) if name else (None, None)
        table = read_table(read_file(file), file.name, name=chosen, version=version)
        signed = _approval_of(home, approval, table) if approval is not None else None
        if not dry_run:
            home.create()
            InputFolder(home.inputs).install(table)
        reply.facts(
            {
                "table": table.id,
                "version": table.version,
                "rows": len(table.rows),
                "columns": [column.name for column in table.columns],
                "sha256": table.sha256,
                "approved by": signed.person if signed is not None else "not checked",
                "installed": not dry_run,
            }
        )
        if signed is None:
            say("no approval was checked: give it with --approval FILE, or compare the hash")
        say("nothing was installed" if dry_run else "a running node uses it from the next query on")


def _approval_of(home: Home, path: Path, table: PublicTable) -> InputDecision:
    """The approval of this very table, signed by a member of the committee on the roster in force.

    Raises:
        TrustQueryError: ``auth-document``, ``policy-document-stale``: there is no roster in date here.
    """
    from node_agent.cli.opening import documents_of, now, read_file
    from trustquery.projects.inputs import read_decision

    decision, _ = read_decision(read_file(path).strip(), documents_of(home).roster(now()))
    if decision.verdict != "approve" or decision.pin != table.pin:
        raise TrustQueryError("auth-document", path.name, document=decision.KIND, problem="it approves another table")
    return decision


@app.command("inputs")
def list_inputs(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """List the public tables installed here, beside those that ship.

    Example: tq-node source inputs
    """
    with reporting("source inputs", form) as reply:
        from node_agent.inputs import InputFolder
        from trustquery.codelists import PublicTable

        rows: list[dict[str, Any]] = []
        for path, found in InputFolder(home_of(context).inputs).all():
            row: dict[str, Any] = {"file": path.name, "table": None, "version": None, "rows": None, "sha256": None}
            if isinstance(found, PublicTable):
                row |= {"table": found.id, "version": found.version, "rows": len(found.rows), "sha256": found.sha256}
            rows.append(row | {"result": "ok" if isinstance(found, PublicTable) else found.problem.fields["reason"]})
        headings = {"table": "Table", "version": "Version", "rows": "Rows", "sha256": "SHA-256", "result": "Result"}
        reply.rows(rows, {"file": "File"} | headings)
        if any(row["result"] != "ok" for row in rows):
            raise typer.Exit(3)

"""``tq dataset``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trustquery.cli.output import Format, data_json, reporting, say
from trustquery.cli.tables import show_rows
from trustquery.errors import TrustQueryError, nearest

if TYPE_CHECKING:
    from trustquery.catalogue import Column

__all__ = ["app"]

app = typer.Typer(help="What may be asked about.", no_args_is_help=True)

FormatOption = Annotated[Format, typer.Option("--format", help="How to write to stdout.")]


@app.command("list")
def list_datasets(
    inputs: Annotated[bool, typer.Option("--inputs", help="List the public tables that ship instead.")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """List the datasets, or the public tables that every query may read.

    Example: tq dataset list
    """
    with reporting():
        if inputs:
            _list_inputs(form)
            return
        from trustquery.cli.connecting import connect

        with connect() as connection:
            rows = connection.datasets()
        columns = {"dataset": "Dataset", "version": "Version", "tables": "Tables", "title": "Title"}
        show_rows(rows, columns, form)
        if rows:
            say(f"next: tq dataset show {rows[0]['dataset']}")


def _list_inputs(form: Format) -> None:
    from trustquery.codelists import shipped

    rows = [
        {
            "table": table.id,
            "version": table.version,
            "rows": len(table.rows),
            "columns": ", ".join(f"{column.name} {column.type}" for column in table.columns),
            "title": table.title,
            "source": table.source,
            "sha256": table.sha256,
        }
        for table in shipped()
    ]
    columns = {"table": "Table", "version": "Version", "rows": "Rows", "columns": "Columns", "title": "Title"}
    show_rows(rows, columns, form)
    say("your own: tq codelist check FILE, then tq query run --input FILE")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The dataset.")],
    table: Annotated[str, typer.Argument(help="One of its tables; left out, all are listed.")] = "",
    form: FormatOption = Format.TABLE,
) -> None:
    """Show a dataset's tables, or one table's columns.

    Example: tq dataset show omop-5.4 visit_occurrence
    """
    with reporting():
        from trustquery.cli.connecting import connect

        with connect() as connection:
            catalogue = connection.dataset(name)
        if form is Format.JSON:
            data_json(catalogue.document())
            return
        if not table:
            rows = [
                {"table": item.name, "columns": len(item.columns), "title": item.title} for item in catalogue.tables
            ]
            show_rows(rows, {"table": "Table", "columns": "Columns", "title": "Title"}, form)
            say(f"next: tq dataset show {name} {rows[0]['table']}")
            return
        found = catalogue.table(table)
        if found is None:
            guess = nearest(table, [item.name for item in catalogue.tables]) or "one of its tables"
            raise TrustQueryError("query-unknown-table", table=table[:64], catalogue=name, nearest=guess)
        rows = [
            {
                "column": column.name,
                "type": column.type.value,
                "role": column.role.value,
                "values": _values(column),
                "description": column.description,
            }
            for column in found.columns
        ]
        columns = {
            "column": "Column",
            "type": "Type",
            "role": "Role",
            "values": "Values",
            "description": "Description",
        }
        show_rows(rows, columns, form)
        say(
            f"One person counts at most {found.max_rows_per_group} rows in each of {found.max_groups_per_person} cells "
            "unless the query says otherwise."
        )


def _values(column: Column) -> str:
    if column.domain is not None:
        shown = ", ".join(f"{item.value} {item.label}" for item in column.domain[:6])
        more = len(column.domain) - 6
        return shown + (f" and {more} more" if more > 0 else "")
    if column.bounds is not None:
        return f"{column.bounds[0]} to {column.bounds[1]}" + (f" {column.unit}" if column.unit else "")
    if column.earliest or column.latest:
        return f"{column.earliest or ''} to {column.latest or ''}"
    return ""

"""``tq codelist``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trustquery.cli.output import Format, reporting, say
from trustquery.cli.tables import show_rows
from trustquery.codelists.systems import CodingSystem

__all__ = ["app"]

app = typer.Typer(help="Your own public tables: codelists and look-ups.", no_args_is_help=True)

SystemOption = Annotated[
    CodingSystem | None, typer.Option(help="What its codes are; look-up for a table that is no list of codes.")
]
ColumnOption = Annotated[str, typer.Option(help="The column that holds the codes, where its heading does not say it.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How to write to stdout.")]


@app.command()
def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV or JSON; NAME=FILE or NAME@VERSION=FILE names it.")],
    write: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Also write it in the form that says name and version.")
    ] = None,
    system: SystemOption = None,
    column: ColumnOption = "",
    form: FormatOption = Format.TABLE,
) -> None:
    """Say what a file would be as a public table, or every problem with its line. Nothing is sent.

    Without --system codes are not looked at: a list of codes is uploaded with one, and checked again then.

    Example: tq codelist check icd10_stroke.csv --system icd10
    """
    with reporting():
        from trustquery.client.inputs import check_file
        from trustquery.errors import TrustQueryError
        from trustquery.identity import canonical

        try:
            report = check_file(file, system or CodingSystem.LOOK_UP, column)
        except TrustQueryError as error:
            if error.code != "query-input-invalid":
                raise
            for problem in error.problems:
                say(f"{problem.place}: {problem.fields['reason']}")
            say("this file cannot be used as it is")
            raise typer.Exit(3) from error
        table = report.table
        row = {
            "table": table.id,
            "version": table.version,
            "rows": len(table.rows),
            "columns": [column.name for column in table.columns],
            "sha256": table.sha256,
        }
        shown = row if form in (Format.JSON, Format.JSONL) else row | {"columns": ", ".join(row["columns"])}  # type: ignore[arg-type]
        for note in report.notes:
            say(note)
        headings = {"table": "Table", "version": "Version", "rows": "Rows", "columns": "Columns", "sha256": "SHA-256"}
        show_rows([shown], headings, form)
        if write is not None:
            write.write_bytes(canonical.encode(table.document()))
            say(f"wrote {write}")
        say(f"next: tq query run --input {file} …, once the trusts have run tq-node source input with the same file")

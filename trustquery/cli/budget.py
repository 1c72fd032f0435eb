"""``tq budget``."""

from __future__ import annotations

from typing import Annotated

import typer

from trustquery.cli.output import Format, data_json, reporting, say
from trustquery.cli.tables import show_rows

__all__ = ["app"]

app = typer.Typer(help="What your projects have spent.", no_args_is_help=True)


@app.command()
def show(
    project: Annotated[str, typer.Argument(help="The project.")],
    form: Annotated[Format, typer.Option("--format", help="How to write to stdout.")] = Format.TABLE,
) -> None:
    """Show what a project was charged at each trust, by the trusts' own signed answers.

    Example: tq budget show stay-lengths
    """
    with reporting():
        from trustquery.cli.connecting import connect
        from trustquery.privacy.budget import epsilon_of

        with connect() as connection:
            found = connection.project(project).budget()
        if form is Format.JSON:
            data_json(found)
            return
        permitted = found["permit_rho_nano"]
        rows = [
            {
                "trust": trust["node"],
                "name": trust["name"],
                "answers": trust["answers"],
                "spent": f"{trust['spent_rho_nano'] / 1e9:.6f}",
                "epsilon": epsilon_of(trust["spent_rho_nano"]),
                "profiles": f"{trust['profiles_rho_nano'] / 1e9:.6f}",
                "left": f"{max(permitted - trust['spent_rho_nano'], 0) / permitted:.1%}",
            }
            for trust in found["trusts"]
        ]
        columns = {
            "trust": "Trust",
            "name": "Name",
            "answers": "Answers",
            "spent": "Spent, rho",
            "epsilon": "Spent, epsilon",
            "left": "Left of the permit",
            "profiles": "For profiles, rho",
        }
        show_rows(rows, columns, form)
        say("Profiles are charged to a cap of their own where a trust's policy has one, else to the project as well.")
        say("Each trust's own ledger decides; it may set a lower cap. `tq query cost` shows what a query would leave.")

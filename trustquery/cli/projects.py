"""``tq project``."""

from __future__ import annotations

from typing import Annotated

import typer

from trustquery.cli.applying import add_to
from trustquery.cli.output import Format, data_json, reporting, say
from trustquery.cli.tables import day, show_rows

__all__ = ["app"]

app = typer.Typer(help="Your projects: apply for one, see them, close them.", no_args_is_help=True)
add_to(app)

FormatOption = Annotated[Format, typer.Option("--format", help="How to write to stdout.")]


@app.command("list")
def list_projects(form: FormatOption = Format.TABLE) -> None:
    """List your projects.

    Example: tq project list
    """
    with reporting():
        from trustquery.cli.connecting import connect

        with connect() as connection:
            rows = [
                project | {"until": day(project["expires"]), "data": ", ".join(project["datasets"])}
                for project in connection.projects()
            ]
        if not rows:
            say("You are a member of no project yet.")
            return
        columns = {"project": "Project", "state": "State", "until": "Until", "data": "Datasets", "title": "Title"}
        show_rows(rows, columns, form)
        say(f"next: tq project show {rows[0]['project']}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The project.")],
    form: FormatOption = Format.TABLE,
) -> None:
    """Show a project: purpose, people, data, trusts.

    Example: tq project show stay-lengths
    """
    with reporting():
        from trustquery.cli.connecting import connect

        with connect() as connection:
            project = connection.project(name)
        permit = project.permit
        if form is not Format.TABLE:
            data_json(permit.model_dump(mode="json"))
            return
        trusts = ", ".join(
            f"{node.node} {node.name}{'' if node.node in project.connected else ' (not connected)'}"
            for node in project.roster.nodes
        )
        facts = {
            "Title": permit.title,
            "State": f"{project.state}, until {day(permit.expires)}",
            "Purpose": f"{permit.purpose}: {permit.lay_summary}",
            "Lawful basis": f"{permit.lawful_basis.article_6}; {permit.lawful_basis.article_9}",
            "Members": ", ".join(f"{member.name} ({member.role})" for member in permit.members),
            "Datasets": ", ".join(permit.datasets),
            "Trusts": trusts,
            "Answers need": f"at least {permit.min_trusts} trusts",
            "Opt-outs": permit.opt_out_treatment,
        }
        show_rows([{"field": key, "value": value} for key, value in facts.items()], {"field": "", "value": ""}, form)
        say(f"next: tq dataset show {permit.datasets[0]}")

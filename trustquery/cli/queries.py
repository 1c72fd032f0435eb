"""``tq query``."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trustquery.cli.asking import Statement, read_parameters, read_statement
from trustquery.cli.output import Format, data_json, reporting, say
from trustquery.cli.tables import show_rows
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from trustquery.client.connection import Connection
    from trustquery.client.query import Query

__all__ = ["app"]

app = typer.Typer(help="Ask.", no_args_is_help=True)

Sql = Annotated[
    str | None,
    typer.Argument(help="One SELECT; FILE.sql or @FILE reads a file, - reads standard input.", show_default=False),
]
FileOption = Annotated[
    Path | None, typer.Option("--file", "-f", help="Read the SELECT from this file, whatever its name.")
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME[:TYPE]=VALUE",
        help="A value for $NAME in the text; several times for several, and for a list in IN ($NAME). "
        "TYPE is integer, number, boolean, text, date or timestamp; else the value says it.",
    ),
]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="[NAME=]FILE",
        help="A public table of yours, CSV or JSON, such as a codelist; several times for several.",
    ),
]
ProjectOption = Annotated[str, typer.Option("--project", "-p", help="The project to ask for.")]
EpsilonOption = Annotated[str, typer.Option("--epsilon", "-e", help="Privacy loss to spend at most at each trust.")]
DatasetOption = Annotated[str, typer.Option("--dataset", help="Where the project has several.", show_default=False)]
GroupsOption = Annotated[
    int | None,
    typer.Option(help="Most cells one person may count in; else the catalogue's.", show_default=False),
]
RowsOption = Annotated[
    int | None, typer.Option(help="Most rows one person may add to a cell; likewise.", show_default=False)
]
UnknownOption = Annotated[
    bool,
    typer.Option("--unknown-keys", help="Find the codes of one key in the data; rare ones never leave. Costs a delta."),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to write to stdout.")]
QueryId = Annotated[str, typer.Argument(help="The query's id, or its first 8 digits or more.")]


def _compile(
    connection: Connection,
    statement: Statement,
    project: str,
    epsilon: str,
    dataset: str,
    groups: int | None,
    rows: int | None,
    params: list[str] | None,
    inputs: list[str] | None,
    fresh: bool = False,
    unknown_keys: bool = False,
) -> Query:
    return connection.project(project).sql(
        statement.text,
        epsilon=epsilon,
        dataset=dataset or None,
        max_groups_per_person=groups,
        max_rows_per_group=rows,
        fresh=fresh,
        parameters=read_parameters(params or ()),
        inputs=inputs or (),
        unknown_keys=unknown_keys,
    )


@app.command()
def check(
    project: ProjectOption,
    sql: Sql = None,
    epsilon: EpsilonOption = "1",
    dataset: DatasetOption = "",
    max_groups_per_person: GroupsOption = None,
    max_rows_per_group: RowsOption = None,
    file: FileOption = None,
    param: ParamOption = None,
    input_: InputOption = None,
    unknown_keys: UnknownOption = False,
) -> None:
    """Check a query's text; no trust is asked.

    Example: tq query check -p stay-lengths "SELECT count(*) FROM visit_occurrence"
    """
    with reporting():
        statement = read_statement(sql, file)
    with reporting(statement.text, statement.file):
        from trustquery.cli.show import show_plan
        from trustquery.client import connect

        with connect() as connection:
            query = _compile(
                connection,
                statement,
                project,
                epsilon,
                dataset,
                max_groups_per_person,
                max_rows_per_group,
                param,
                input_,
                unknown_keys=unknown_keys,
            )
        show_plan(query)
        say("The query is one that can be asked. next: tq query cost")


@app.command()
def cost(
    project: ProjectOption,
    epsilon: EpsilonOption,
    sql: Sql = None,
    dataset: DatasetOption = "",
    max_groups_per_person: GroupsOption = None,
    max_rows_per_group: RowsOption = None,
    file: FileOption = None,
    param: ParamOption = None,
    input_: InputOption = None,
    unknown_keys: UnknownOption = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Say what a query would cost, how exact it would be, and which trusts would refuse. Spends nothing.

    Example: tq query cost -p stay-lengths -e 0.5 "SELECT count(*) FROM visit_occurrence"
    """
    with reporting():
        statement = read_statement(sql, file)
    with reporting(statement.text, statement.file):
        from trustquery.cli.show import cost_document, show_cost, show_plan
        from trustquery.client import connect

        with connect() as connection:
            query = _compile(
                connection,
                statement,
                project,
                epsilon,
                dataset,
                max_groups_per_person,
                max_rows_per_group,
                param,
                input_,
                unknown_keys=unknown_keys,
            )
            found = query.preview()
        if form is not Format.TABLE:
            data_json(cost_document(query, found))
            return
        show_plan(query)
        show_cost(query, found)


@app.command()
def run(
    project: ProjectOption,
    epsilon: EpsilonOption,
    sql: Sql = None,
    dataset: DatasetOption = "",
    max_groups_per_person: GroupsOption = None,
    max_rows_per_group: RowsOption = None,
    file: FileOption = None,
    param: ParamOption = None,
    input_: InputOption = None,
    unknown_keys: UnknownOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needs --max-epsilon.")] = False,
    max_epsilon: Annotated[str, typer.Option(help="Refuse to spend more at a trust.", show_default=False)] = "",
    wait: Annotated[int, typer.Option(min=1, max=3600, help="Seconds until the result closes.")] = 30,
    fresh: Annotated[bool, typer.Option("--fresh", help="Draw and charge again, even if asked before.")] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Ask, after showing the cost. The result is an estimate with a 95 % interval.

    Example: tq query run -p stay-lengths -e 0.5 "SELECT count(*) FROM visit_occurrence"
    """
    with reporting():
        statement = read_statement(sql, file)
    with reporting(statement.text, statement.file):
        from trustquery.cli.confirm import confirm
        from trustquery.cli.progress import watching
        from trustquery.cli.show import show_cost, show_result
        from trustquery.client import connect

        with connect() as connection:
            query = _compile(
                connection,
                statement,
                project,
                epsilon,
                dataset,
                max_groups_per_person,
                max_rows_per_group,
                param,
                input_,
                fresh,
                unknown_keys,
            )
            found = query.preview()
            show_cost(query, found)
            query.require_enough(found)
            confirm(query.cost.epsilon, yes=yes, limit=_limit(max_epsilon))
            with watching() as on_progress:
                result = query.run(wait=wait, on_progress=on_progress, preview=found)
        show_result(result, form)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:70]


def _limit(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        found = Decimal(text)
    except ArithmeticError as error:
        raise TrustQueryError("query-epsilon", "--max-epsilon", limit=100) from error
    if not found.is_finite():
        raise TrustQueryError("query-epsilon", "--max-epsilon", limit=100)
    return found


@app.command()
def status(query: QueryId, form: FormatOption = Format.TABLE) -> None:
    """Say where a query is and what each trust reported.

    Example: tq query status 3f2a9c01
    """
    with reporting():
        from trustquery.cli.show import show_status
        from trustquery.client import connect

        with connect() as connection:
            show_status(connection.status(query), form)


@app.command()
def result(query: QueryId, form: FormatOption = Format.TABLE) -> None:
    """Show the result of an earlier query again; every signature is checked again. Costs nothing.

    Example: tq query result 3f2a9c01 --format csv
    """
    with reporting():
        from trustquery.cli.show import show_result
        from trustquery.client import connect
        from trustquery.client.past import past_result

        with connect() as connection:
            show_result(past_result(connection, query), form)


@app.command()
def cancel(query: QueryId) -> None:
    """Close a query without a result. What trusts have charged stays charged.

    Example: tq query cancel 3f2a9c01
    """
    with reporting():
        from trustquery.client import connect

        with connect() as connection:
            done = connection.cancel(query)
        say("closed without a result" if done else "it had closed already")


@app.command()
def history(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20, form: FormatOption = Format.TABLE
) -> None:
    """List your queries, newest first.

    Example: tq query history
    """
    with reporting():
        from trustquery.cli.show import moment
        from trustquery.client import connect

        with connect() as connection:
            rows = [
                row | {"id": row["query"][:12], "asked": moment(row["created"]), "text": _one_line(row["sql"])}
                for row in connection.history(limit)
            ]
        columns = {"id": "Query", "asked": "Asked", "state": "State", "project": "Project", "text": "Text"}
        show_rows(rows, columns, form)

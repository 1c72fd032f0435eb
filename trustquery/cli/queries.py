"""``tq query``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from trustquery.cli.output import Format, data, data_json, reporting, say
from trustquery.cli.tables import show_rows
from trustquery.cli.wishes import Asked, asking
from trustquery.errors import TrustQueryError

__all__ = ["app"]

app = typer.Typer(help="Ask.", no_args_is_help=True)

FormatOption = Annotated[Format, typer.Option("--format", help="How to write to stdout.")]
QueryId = Annotated[str, typer.Argument(help="The query's id, or its first 8 digits or more.")]
Reading = Callable[[], Asked]


@app.command()
@asking
def check(asked: Reading) -> None:
    """Check a query's text and say what to expect of it, at an epsilon of 1 unless you give one; no trust is asked.

    Example: tq query check -p stay-lengths "SELECT count(*) FROM visit_occurrence"
    """
    with reporting():
        wanted = asked()
    with reporting(wanted.statement.text, wanted.statement.file):
        from trustquery.cli.connecting import connect
        from trustquery.cli.show import show_plan, show_review

        with connect() as connection:
            query = wanted.compile(connection, otherwise="1")
            show_plan(query)
            show_review(query)
        say(f"Its hash, by which a trust's policy can approve this very question beforehand: {query.model.sha256}")
        say("The query is one that can be asked. next: tq query cost")


@app.command()
@asking
def cost(asked: Reading, form: FormatOption = Format.TABLE) -> None:
    """Say what a query would cost, how exact it would be, and which trusts would refuse. Spends nothing.

    Noise and what bounds cut off are forecast apart, from declared sizes and released profiles, never from data.

    Example: tq query cost -p stay-lengths -e 0.5 "SELECT count(*) FROM visit_occurrence"

    Example: tq query cost -p stay-lengths --accuracy ±2% "SELECT count(*) FROM visit_occurrence"
    """
    with reporting():
        wanted = asked()
    with reporting(wanted.statement.text, wanted.statement.file):
        from trustquery.cli.connecting import connect
        from trustquery.cli.show import cost_document, show_cost, show_plan, show_review

        with connect() as connection:
            query = wanted.compile(connection)
            found = query.preview()
            if form is not Format.TABLE:
                data_json(cost_document(query, found))
                return
            show_plan(query)
            show_review(query)
        show_cost(query, found)


@app.command()
@asking
def run(
    asked: Reading,
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
        wanted = asked()
    with reporting(wanted.statement.text, wanted.statement.file):
        from trustquery.cli.confirm import confirm, read_limit
        from trustquery.cli.connecting import connect
        from trustquery.cli.progress import watching
        from trustquery.cli.show import show_cost, show_result, show_review
        from trustquery.question.preview import held_by

        with connect() as connection:
            query = wanted.compile(connection, fresh=fresh)
            found = query.preview()
            show_cost(query, found)
            show_review(query)
            query.require_enough(found)
            confirm(query.cost.epsilon, yes=yes, limit=read_limit(max_epsilon))
            with watching(held_by(found)) as on_progress:
                result = query.run(wait=wait, on_progress=on_progress, preview=found)
        show_result(result, form)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:70]


@app.command()
def status(query: QueryId, form: FormatOption = Format.TABLE) -> None:
    """Say where a query is and what each trust reported.

    Example: tq query status 3f2a9c01
    """
    with reporting():
        from trustquery.cli.connecting import connect
        from trustquery.cli.status import show_status
        from trustquery.client.preview import held_now

        with connect() as connection:
            view = connection.status(query)
            show_status(view, form, held_now(connection, view))


@app.command()
def result(query: QueryId, form: FormatOption = Format.TABLE) -> None:
    """Show the result of an earlier query again; every signature is checked again. Costs nothing.

    Example: tq query result 3f2a9c01 --format csv
    """
    with reporting():
        from trustquery.cli.connecting import connect
        from trustquery.cli.show import show_result
        from trustquery.client.past import past_result

        with connect() as connection:
            show_result(past_result(connection, query), form)


@app.command()
def cancel(query: QueryId) -> None:
    """Close a query without a result. What trusts have charged stays charged.

    Example: tq query cancel 3f2a9c01
    """
    with reporting():
        from trustquery.cli.connecting import connect

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
        from trustquery.cli.connecting import connect
        from trustquery.cli.show import moment

        with connect() as connection:
            rows = [
                row | {"id": row["query"][:12], "asked": moment(row["created"]), "text": _one_line(row["sql"])}
                for row in connection.history(limit)
            ]
        columns = {"id": "Query", "asked": "Asked", "state": "State", "project": "Project", "text": "Text"}
        show_rows(rows, columns, form)


PublicHash = Annotated[str, typer.Argument(help="A hash of the public log, or its first 8 digits or more.")]


@app.command()
def show(query: PublicHash, form: FormatOption = Format.TABLE) -> None:
    """Show a question of the public log: its code, its uses, what each trust did. Nobody need sign in.

    Example: tq query show 3f2a9c01
    """
    with reporting():
        from trustquery.client.config import find_home
        from trustquery.client.public import fetch_query
        from trustquery.projects.register import said

        found = fetch_query(find_home(), query)
        if form is not Format.TABLE:
            data_json(found.document)
            return
        data(said(found.draft()))
        for use in found.document["uses"]:
            columns = use["columns"]
            say(
                f"{columns['Date']}  project {columns['Project ID']}: {columns['Outcome']}. Result: {columns['Result']}"
            )
            say(f"  asked {columns['Trusts asked']}; answered {columns['Trusts that answered']}")
            loss = columns["Privacy loss at each trust (epsilon at delta 1e-8)"]
            say(f"  privacy loss, epsilon at delta 1e-8: {loss}")
            say(f"  disclosure criteria: {columns['Disclosure criteria']}")
            if use.get("review"):
                say(f"  output review: {columns['Output review']}")
            if use.get("erased_on"):
                say(f"  its figures were erased on {use['erased_on']}")
            if use["withdrawn"] is not None:
                say(f"  WITHDRAWN {columns['Withdrawal']}")
        say(f"next: tq query run --from {found.query_hash[:12]} --project P, or tq query fork {found.query_hash[:12]}")


@app.command()
def fork(
    query: PublicHash,
    out: Annotated[Path | None, typer.Option(help="A new file instead of stdout.", show_default=False)] = None,
) -> None:
    """Make a new draft of a question of the public log; its first lines say where it comes from.

    Example: tq query fork 3f2a9c01 --out mine.sql
    """
    with reporting():
        from trustquery.client.config import find_home
        from trustquery.client.public import fetch_query
        from trustquery.projects.register import said

        draft = fetch_query(find_home(), query).draft()
        if out is None:
            # A terminal acts on control characters, a file does not.
            data(said(draft) if sys.stdout.isatty() else draft.rstrip())
        else:
            try:
                with out.open("x", encoding="utf-8") as file:
                    file.write(draft)
            except OSError as error:
                raise TrustQueryError("config-missing", path=out, instead="give the path of a new file") from error
        say(f"next: tq query check {out or 'FILE.sql'} --project P")

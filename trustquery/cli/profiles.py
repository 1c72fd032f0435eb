"""``tq profile``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trustquery.cli.output import Format, data_json, reporting, say
from trustquery.cli.tables import day, show_rows
from trustquery.errors import TrustQueryError, nearest

if TYPE_CHECKING:
    from trustquery.catalogue import Catalogue
    from trustquery.client.connection import Connection
    from trustquery.client.profiles import FetchedProfiles, ReleasedProfile
    from trustquery.client.project import Project
    from trustquery.client.query import Query
    from trustquery.forecast.questions import ProfileQuestion

__all__ = ["app"]

app = typer.Typer(
    help="Profiles: how many rows, values and totals people have, in noised histograms.\n\n"
    "What a query's bounds cut off is often its largest error. With released profiles the bounds need not be guessed. "
    "A profile is asked once and serves every project; where a trust's policy has a cap for profiles, your project and "
    "you are not charged.\n\n"
    "Start: tq profile list omop-5.4; tq profile request omop-5.4 --table visit_occurrence; tq profile show omop-5.4",
    no_args_is_help=True,
)

ABOUT = ("rows", "distinct", "total", "value")


def _complete_dataset(incomplete: str) -> list[str]:
    from trustquery.catalogue import available

    return [name for name in available() if name.startswith(incomplete)]


def _shipped(context: typer.Context) -> Catalogue | None:
    """The catalogue of the dataset typed so far, from those that ship: completion asks nobody."""
    from trustquery.catalogue import available, load

    name = context.params.get("dataset")
    return load(name) if name in available() else None


def _complete_table(context: typer.Context, incomplete: str) -> list[str]:
    found = _shipped(context)
    tables = found.tables if found is not None else ()
    return [table.name for table in tables if table.kind == "person" and table.name.startswith(incomplete)]


def _complete_column(context: typer.Context, incomplete: str) -> list[str]:
    found = _shipped(context)
    table = found.table(str(context.params.get("table"))) if found is not None else None
    return [column.name for column in table.columns if column.name.startswith(incomplete)] if table is not None else []


DatasetArgument = Annotated[str, typer.Argument(help="The dataset.", autocompletion=_complete_dataset)]
ProjectOption = Annotated[
    str,
    typer.Option("--project", "-p", help="The project to ask for; needed where several of yours have the dataset."),
]
TableOption = Annotated[str, typer.Option("--table", "-t", help="Only this table.", autocompletion=_complete_table)]
ColumnOption = Annotated[
    str,
    typer.Option(
        "--column", "-c", help="Only this column of the table, and the table's rows.", autocompletion=_complete_column
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to write to stdout.")]


def _project(connection: Connection, dataset: str, name: str) -> Project:
    """The project meant, or the only live one of the analyst's that has the dataset."""
    if name:
        return connection.project(name)
    from trustquery.projects.life import ASKABLE

    live = [
        item["project"] for item in connection.projects() if item["state"] in ASKABLE and dataset in item["datasets"]
    ]
    if len(live) != 1:
        known = (
            f"say which project with --project: {', '.join(live)}"
            if live
            else f"no live project of yours has {dataset}"
        )
        raise TrustQueryError("usage-invalid", "--project", problem=known)
    return connection.project(str(live[0]))


def _questions(catalogue: Catalogue, table: str, column: str) -> tuple[ProfileQuestion, ...]:
    """The questions chosen.

    Raises:
        TrustQueryError: ``query-unknown-table``, ``usage-invalid``.
    """
    from trustquery.forecast.questions import profile_questions

    if column and not table:
        raise TrustQueryError("usage-invalid", "--column", problem="say of which table: --table")
    if table and catalogue.table(table) is None:
        guess = nearest(table, [item.name for item in catalogue.tables]) or "one of its tables"
        raise TrustQueryError("query-unknown-table", table=table[:64], catalogue=catalogue.id, nearest=guess)
    found = profile_questions(catalogue, table or None)
    if not column:
        return found
    columns = sorted({question.column for question in found if question.column})
    if column not in columns:
        few = ", ".join(columns) or "none"
        raise TrustQueryError("usage-invalid", "--column", problem=f"columns of {table} that have a profile: {few}")
    return tuple(question for question in found if question.column in ("", column))


def _say_ignored(found: FetchedProfiles) -> None:
    for question, problem in found.ignored.items():
        say(f"left out: {question.words}: {problem.reason} ({problem.code})")


@app.command("list")
def list_profiles(
    dataset: DatasetArgument,
    project: ProjectOption = "",
    table: TableOption = "",
    column: ColumnOption = "",
    form: FormatOption = Format.TABLE,
) -> None:
    """List the questions, which of them are released, when and by how many trusts, and what each costs. Spends nothing.

    Example: tq profile list omop-5.4 --table visit_occurrence
    """
    with reporting():
        from trustquery.cli.connecting import connect
        from trustquery.client.profiles import ask_profile, fetch_profiles

        with connect() as connection:
            chosen = _project(connection, dataset, project)
            questions = _questions(connection.dataset(dataset), table, column)
            found = fetch_profiles(chosen, dataset)
            cost = ask_profile(chosen, questions[0], dataset).cost if questions else None
        rows = [
            {
                "table": question.table,
                "about": question.about,
                "column": question.column,
                "words": question.words,
                "released": (known := found.released.get(question)) is not None,
                "query": known.query if known is not None else None,
                "closed": known.closed if known is not None else None,
                "when": day(known.closed) if known is not None else "no",
                "trusts": len(known.trusts) if known is not None else 0,
                "rho_nano": cost.rho_nano if cost is not None else 0,
                "epsilon": str(cost.epsilon) if cost is not None else "0",
            }
            for question in questions
        ]
        columns = {"words": "Question", "when": "Released", "trusts": "Trusts", "epsilon": "Epsilon at each trust"}
        show_rows(rows, columns, form)
        _say_ignored(found)
        say(f"{sum(bool(row['released']) for row in rows)} of {len(rows)} released.")
        if any(not row["released"] for row in rows):
            say(f"next: tq profile request {dataset} {f'--table {table}' if table else '--table TABLE'}")


@app.command()
def show(
    dataset: DatasetArgument,
    project: ProjectOption = "",
    table: TableOption = "",
    column: ColumnOption = "",
    form: FormatOption = Format.TABLE,
) -> None:
    """Show what released profiles tell: people, median, the highest values, what is beyond the catalogue's bounds.

    Spends nothing. Figures are of one trust on average, from noised histograms, and so roughly right at best.

    Example: tq profile show omop-5.4 --table visit_occurrence
    """
    with reporting():
        from trustquery.cli.connecting import connect
        from trustquery.client.profiles import fetch_profiles

        with connect() as connection:
            chosen = _project(connection, dataset, project)
            catalogue = connection.dataset(dataset)
            questions = _questions(catalogue, table, column)
            found = fetch_profiles(chosen, dataset)
        known = [found.released[question] for question in questions if question in found.released]
        rows = [_told(item, catalogue) for item in known]
        if form is Format.JSON:
            data_json({"format": "tq-profiles-1", "dataset": dataset, "profiles": rows})
        elif rows:
            show_rows([_readable(row) for row in rows] if form is Format.TABLE else rows, COLUMNS, form)
        _say_ignored(found)
        if not rows:
            where = f" --table {table}" if table else " --table TABLE"
            say(f"None of {len(questions)} is released. next: tq profile request {dataset}{where}")
        else:
            say("At one trust on average. Beyond: the share of people beyond the catalogue's bound, and of the amount.")


COLUMNS = {
    "words": "Question",
    "people": "People",
    "median": "Median",
    "p90": "90 %",
    "p99": "99 %",
    "bound": "Bound",
    "people_beyond": "People beyond",
    "amount_beyond": "Amount beyond",
}


def _bound(question: ProfileQuestion, catalogue: Catalogue) -> float | None:
    """What the catalogue's own bounds let one person count in; None where a column's bounds say nothing more."""
    table = catalogue.table(question.table)
    if table is None or question.about == "value":
        return None
    if question.about == "distinct":
        return float(table.max_groups_per_person)
    if question.about == "rows":
        return float(table.max_rows_per_group)
    column = table.column(question.column)
    bounds = column.bounds if column is not None and column.bounds is not None else (0, 0)
    return float(max(map(abs, bounds)) * table.max_rows_per_group)


def _told(item: ReleasedProfile, catalogue: Catalogue) -> dict[str, Any]:
    """One profile as data, of one trust on average; shares from 0 to 1, None where there is nothing to share."""
    told, question = item.distribution, item.question
    bound = _bound(question, catalogue)
    people = told.size
    amount = told.total(abs)
    cut = told.total(lambda x: max(abs(x) - bound, 0.0)) if bound is not None else 0.0
    beyond = told.total(lambda x: float(abs(x) > bound)) if bound is not None else 0.0
    return {
        "table": question.table,
        "about": question.about,
        "column": question.column,
        "words": question.words,
        "query": item.query,
        "closed": item.closed,
        "trusts": list(item.trusts),
        "people": round(people, 1),
        "median": told.at(0.5),
        "p90": told.at(0.9),
        "p99": told.at(0.99),
        "bound": bound,
        "people_beyond": round(beyond / people, 4) if bound is not None and people > 0 else None,
        "amount_beyond": round(cut / amount, 4) if bound is not None and amount > 0 else None,
        "points": list(told.points),
        "people_at": [round(count, 3) for count in told.people],
    }


def _readable(row: dict[str, Any]) -> dict[str, str]:
    def figure(value: float | None) -> str:
        return "" if value is None else f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.1f}"

    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.1%}"

    form: dict[str, Callable[[Any], str]] = dict.fromkeys(("people", "median", "p90", "p99", "bound"), figure)
    form |= dict.fromkeys(("people_beyond", "amount_beyond"), share)
    return {name: form.get(name, str)(row[name]) for name in COLUMNS}


@app.command()
def request(
    dataset: DatasetArgument,
    project: ProjectOption = "",
    table: TableOption = "",
    column: ColumnOption = "",
    missing: Annotated[
        bool, typer.Option("--missing", help="Every question of the dataset that is not released yet.")
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Ask again what is released: only trusts with new data draw and charge."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needs --max-epsilon.")] = False,
    max_epsilon: Annotated[
        str, typer.Option(help="Refuse to spend more at a trust, over all questions.", show_default=False)
    ] = "",
    wait: Annotated[int, typer.Option(min=1, max=3600, help="Seconds until each result closes.")] = 30,
) -> None:
    """Ask for profiles, one question after the other, after showing the cost of all.

    What is released is not asked again, so the same command goes on where an earlier one stopped.

    Example: tq profile request omop-5.4 --table visit_occurrence --column visit_start_date
    """
    with reporting():
        from trustquery.cli.confirm import read_limit
        from trustquery.cli.connecting import connect
        from trustquery.client.profiles import ask_profile, fetch_profiles

        if not (table or missing):
            raise TrustQueryError("usage-invalid", "--table", problem="say what to ask: --table TABLE, or --missing")
        limit = read_limit(max_epsilon)
        with connect() as connection:
            chosen = _project(connection, dataset, project)
            questions = _questions(connection.dataset(dataset), table, column)
            found = fetch_profiles(chosen, dataset)
            _say_ignored(found)
            wanted = [question for question in questions if fresh or question not in found.released]
            if len(wanted) < len(questions):
                say(f"{len(questions) - len(wanted)} of {len(questions)} are released already and not asked again.")
            if wanted:
                queries = [(question, ask_profile(chosen, question, dataset)) for question in wanted]
                _consent(queries, yes=yes, limit=limit)
                _ask(queries, wait)
        say(f"next: tq profile show {dataset}{f' --table {table}' if table else ''}")


def _consent(queries: Sequence[tuple[ProfileQuestion, Query]], *, yes: bool, limit: Decimal | None) -> None:
    """Show what all of it costs and what the trusts say to the first; go on only with the analyst's consent."""
    from trustquery.cli.confirm import confirm
    from trustquery.cli.show import show_cost
    from trustquery.privacy.budget import epsilon_of

    _, first = queries[0]
    previews = first.preview()
    show_cost(first, previews)
    first.require_enough(previews)
    rho = sum(query.cost.rho_nano for _, query in queries)
    once, everywhere = (epsilon_of(rho, first.cost.delta, trusts=trusts) for trusts in (1, first.cost.max_trusts))
    say(
        f"{len(queries)} questions like this one, in all at each trust at most: rho {rho / 1e9:.6f}, which is epsilon "
        f"{once} for a person at one trust and {everywhere} at up to {first.cost.max_trusts}."
    )
    confirm(once, yes=yes, limit=limit)


def _ask(queries: Sequence[tuple[ProfileQuestion, Query]], wait: int) -> None:
    """Ask one after the other. A question that too few trusts would answer costs nothing and is passed over.

    Raises:
        TrustQueryError: a budget is exhausted, or something else that the next question would meet too; at the end,
            what the trusts said to the last that was passed over.
    """
    passed: TrustQueryError | None = None
    for place, (question, query) in enumerate(queries, 1):
        what = f"[{place} of {len(queries)}] {question.words}"
        previews = query.preview()
        try:
            query.require_enough(previews)
        except TrustQueryError as error:
            if any(problem.code.startswith("budget-") for problem in error.problems):
                raise
            say(f"{what}: passed over, nothing spent: {error.problem.reason}")
            passed = error
            continue
        result = query.run(wait=wait, preview=previews)
        say(f"{what}: {result.answered} of {len(result.trusts)} trusts answered")
    if passed is not None:
        raise passed

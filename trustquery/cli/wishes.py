"""The options that say what is asked, the same for `tq query check`, `cost` and `run`."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trustquery.cli.asking import Statement, read_parameters, read_statement
from trustquery.cli.output import say
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from trustquery.client.connection import Connection
    from trustquery.client.public import PublicQuery
    from trustquery.client.query import Query

__all__ = ["Asked", "asking"]

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
        metavar="NAME|[NAME=]FILE",
        help="An approved codelist or look-up by its name, NAME or NAME@VERSION; or a file of the same content.",
    ),
]
ProjectOption = Annotated[str, typer.Option("--project", "-p", help="The project to ask for.")]
EpsilonOption = Annotated[
    str, typer.Option("--epsilon", "-e", help="Privacy loss to spend at most at each trust.", show_default=False)
]
AccuracyOption = Annotated[
    str,
    typer.Option(
        "--accuracy",
        "-a",
        metavar="±2%",
        help="Instead of --epsilon: spend what it takes for each output to be expected this near its value.",
        show_default=False,
    ),
]
ExpectOption = Annotated[
    float | None,
    typer.Option(help="Rows or people you expect in a typical cell, if you know better than profiles."),
]
DatasetOption = Annotated[str, typer.Option("--dataset", help="Where the project has several.", show_default=False)]
GroupsOption = Annotated[
    int | None,
    typer.Option(
        help="Most cells one person may count in. Without these three, bounds are chosen from released profiles.",
        show_default=False,
    ),
]
RowsOption = Annotated[int | None, typer.Option(help="Most rows one person may add to a cell.", show_default=False)]
TotalOption = Annotated[
    float | None,
    typer.Option(help="Most that one person may add to a sum over all cells, in its own unit.", show_default=False),
]
UnknownOption = Annotated[
    bool,
    typer.Option("--unknown-keys", help="Find the codes of one key in the data; rare ones never leave. Costs a delta."),
]
FromOption = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="HASH",
        help="Ask a question of the public log again: its text, values and terms, unless you give an epsilon.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Asked:
    """What the command line asks, not yet read against a project."""

    statement: Statement
    project: str
    epsilon: str
    accuracy: str
    expect: float | None
    dataset: str
    max_groups_per_person: int | None
    max_rows_per_group: int | None
    max_total_per_person: float | None
    param: list[str] | None
    input_: list[str] | None
    unknown_keys: bool
    again: PublicQuery | None = None

    def compile(self, connection: Connection, *, fresh: bool = False, otherwise: str | None = None) -> Query:
        """The question.

        Args:
            otherwise: epsilon where neither it nor an accuracy is given.

        Raises:
            TrustQueryError: ``query-…``, ``usage-invalid``.
        """
        if self.again is not None:
            return self._again(connection, self.again, fresh)
        epsilon = self.epsilon or (otherwise if not self.accuracy else None)
        return self._compile(connection, epsilon, fresh)

    def _again(self, connection: Connection, found: PublicQuery, fresh: bool) -> Query:
        """A public question: on its own terms, or on those that are given."""
        from trustquery.client.public import ask_again, differences

        if self.param or self.input_ or self.unknown_keys:
            raise TrustQueryError(
                "usage-invalid", "--from", problem="its values and tables come with it; `tq query fork` makes a draft"
            )
        bounds = (self.max_groups_per_person, self.max_rows_per_group, self.max_total_per_person)
        if self.epsilon or self.accuracy or bounds != (None, None, None):
            query = self._compile(connection, self.epsilon, fresh)
        else:
            query = ask_again(connection.project(self.project), found, dataset=self.dataset or None, fresh=fresh)
        told = differences(query, found)
        if told:
            say(f"Not the same question as {found.query_hash[:12]}: {'; '.join(told)}.")
        else:
            say(f"The same question as {found.query_hash[:12]}, by its hash.")
        return query

    def _compile(self, connection: Connection, epsilon: str | None, fresh: bool) -> Query:
        found = self.again
        return connection.project(self.project).sql(
            self.statement.text,
            epsilon=epsilon or None,
            accuracy=self.accuracy or None,
            expect=self.expect,
            dataset=self.dataset or (found.dataset if found is not None else None),
            max_groups_per_person=self.max_groups_per_person,
            max_rows_per_group=self.max_rows_per_group,
            max_total_per_person=self.max_total_per_person,
            fresh=fresh,
            parameters=found.parameters if found is not None else read_parameters(self.param or ()),
            inputs=found.tables if found is not None else self.input_ or (),
            unknown_keys=found.model.has_unknown_keys if found is not None else self.unknown_keys,
        )


def _shared(
    project: ProjectOption,
    sql: Sql = None,
    epsilon: EpsilonOption = "",
    accuracy: AccuracyOption = "",
    expect: ExpectOption = None,
    dataset: DatasetOption = "",
    max_groups_per_person: GroupsOption = None,
    max_rows_per_group: RowsOption = None,
    max_total_per_person: TotalOption = None,
    file: FileOption = None,
    param: ParamOption = None,
    input_: InputOption = None,
    unknown_keys: UnknownOption = False,
    from_: FromOption = "",
) -> None:
    """The options themselves."""


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the shared options before its own; it gets a function that reads them as ``Asked``.

    Reading comes later because the text may be in a file that is not there, which the command reports.
    """
    shared = _parameters(_shared)
    own = [parameter for parameter in _parameters(command) if parameter.name != "asked"]

    def given(**options: Any) -> None:
        texts = {parameter.name: options.pop(parameter.name) for parameter in shared}

        def asked() -> Asked:
            sql, file, hash_ = texts.pop("sql"), texts.pop("file"), texts.pop("from_")
            if not hash_:
                return Asked(statement=read_statement(sql, file), **texts)
            if sql is not None or file is not None:
                raise TrustQueryError("usage-invalid", "--from", problem="give a SELECT or --from HASH, not both")
            from trustquery.client.config import find_home
            from trustquery.client.public import fetch_query

            found = fetch_query(find_home(), hash_)
            return Asked(statement=Statement(found.sql, f"query {found.query_hash[:12]}"), again=found, **texts)

        command(asked=asked, **options)

    given.__name__, given.__doc__ = command.__name__, command.__doc__
    given.__signature__ = inspect.Signature([*shared, *own])  # type: ignore[attr-defined]
    return given


def _parameters(function: Callable[..., None]) -> list[inspect.Parameter]:
    hints = typing.get_type_hints(function, include_extras=True)
    found = inspect.signature(function).parameters.values()
    # By name alone: options of two functions do not otherwise follow one another.
    return [
        parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY) for parameter in found
    ]

"""``roster draft`` and ``install``: the coordinator proposes, the root holders sign."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.opening import opened
from coordinator.cli.output import data, reporting, say
from coordinator.rosters import draft as draft_roster
from coordinator.services import wall_clock
from trustquery.errors import TrustQueryError
from trustquery.identity import Person, SigningKey

__all__ = ["app"]

app = typer.Typer(
    help="The roster of nodes: draft it here, sign it with `tq federation sign`, install it.", no_args_is_help=True
)


def _committee(path: Path) -> tuple[Person, ...]:
    try:
        people = tomllib.loads(path.read_text(encoding="utf-8")).get("people", [])
        return tuple(Person.model_validate(person) for person in people)
    except (OSError, ValueError, RecursionError, AttributeError, TypeError) as error:
        raise TrustQueryError(
            "config-invalid", place=str(path), problem="the committee file lists [[people]] with person, name and key"
        ) from error


@app.command()
def draft(
    context: typer.Context,
    committee: Annotated[
        Path | None,
        typer.Option(help="TOML: [[people]] with person, name and key. Left out: the committee of the present roster."),
    ] = None,
    statement_key: Annotated[
        list[str] | None,
        typer.Option(
            help="Public key of a delegate who signs revocation statements. May be repeated. Left out: those of the "
            "present roster."
        ),
    ] = None,
) -> None:
    """Print the next roster on stdout: every approved node, 30 days.

    Example: tq-coordinator roster draft --committee committee.toml --statement-key 5d1f… > roster.json
    """
    with reporting():
        base = opened(context)
        earlier = base.rosters.found()
        people = _committee(committee) if committee is not None else earlier.committee if earlier is not None else ()
        if len(people) < 2:
            raise TrustQueryError("usage-invalid", place="--committee", problem="a committee has at least two people")
        delegates = tuple(statement_key or (earlier.statement_keys if earlier is not None else ()))
        key = SigningKey.load(base.home.key).public
        try:
            made = draft_roster(
                base.rosters.root, earlier, base.store.nodes.everyone(), people, delegates, key, wall_clock()
            )
        except ValueError as error:
            raise TrustQueryError(
                "usage-invalid",
                place="--statement-key",
                problem="a roster names one to five keys of delegates, and none is the coordinator's or a node's",
            ) from error
        data(json.dumps(made.model_dump(mode="json"), indent=2, ensure_ascii=False))
        say(f"roster version {made.version} with {len(made.nodes)} nodes")
        say(f"next, {base.root.threshold} root holders: tq federation sign FILE --key KEY; then: roster install FILE")


@app.command()
def install(
    context: typer.Context, envelope: Annotated[Path, typer.Argument(help="The signed roster, *.dsse.")]
) -> None:
    """Verify a signed roster against the root and put it in force; nodes are told at once.

    Example: tq-coordinator roster install roster.dsse
    """
    with reporting():
        base = opened(context)
        try:
            found = envelope.read_bytes()
        except OSError as error:
            raise TrustQueryError("config-missing", path=envelope, instead="give the signed roster's path") from error
        roster = base.rosters.install(found.strip(), wall_clock())
        say(f"roster version {roster.version} is in force: {len(roster.nodes)} nodes")

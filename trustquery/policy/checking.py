"""Everything that is wrong with a policy's text at once, each with its line; and what is in order but surprising."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from trustquery.catalogue import Catalogue, load
from trustquery.errors import TrustQueryError, nearest
from trustquery.outputs.profiles import PROFILES
from trustquery.policy.data import ColumnRoles, DatasetRule
from trustquery.policy.places import nearest_place, places_of, syntax_place
from trustquery.policy.promised import percent, promised
from trustquery.policy.schema import Policy

__all__ = ["Notice", "check_text", "warnings_of"]

_LITTLE = Decimal("0.9")
"""A guess that is right this often leaves a patient little."""


@dataclass(frozen=True)
class Notice:
    """Something that governance should know before it signs.

    Attributes:
        place: the key; ``line`` and ``column`` where it stands.
    """

    place: str
    line: int
    column: int
    words: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}, {self.place}: {self.words}"


def check_text(text: str, *, name: str = "policy.toml") -> tuple[Policy, tuple[Notice, ...]]:
    """Read a policy; report all that is wrong with it, in the order of the lines.

    Raises:
        TrustQueryError: ``policy-invalid``, ``policy-unknown-key``; the place of each is ``line L, column C, KEY``.
    """
    places = places_of(text)
    try:
        policy = Policy.from_toml(text, name=name)
    except TrustQueryError as error:
        found = []
        for problem in error.problems:
            at = syntax_place(problem.reason) or nearest_place(places, problem.place)
            key = "" if problem.place == name else f", {problem.place}"
            where = f"line {at[0]}, column {at[1]}{key}"
            found.append((at, dataclasses.replace(problem, place=where)))
        raise TrustQueryError.of([problem for _, problem in sorted(found, key=lambda item: item[0])]) from error
    noted = [Notice(place, *nearest_place(places, place), words) for place, words in warnings_of(policy)]
    return policy, tuple(sorted(noted, key=lambda item: (item.line, item.column)))


def warnings_of(policy: Policy) -> Iterator[tuple[str, str]]:
    """What is in order but surprising: the place and a sentence."""
    yield from _promises(policy)
    yield from _refuses_all(policy)
    for number, rule in enumerate(policy.dataset, 1):
        yield from _names(f"dataset[{number}]", rule)
    if "synthetic-data" in policy.queries.opt_out_treatments:
        yield "queries.opt_out_treatments", "synthetic-data says that the data are made up: never with real patients."
    if "applied" in policy.queries.opt_out_treatments and policy.opt_outs is None:
        words = "A question whose opt-outs are applied is refused: [opt_outs] is missing, so no list is fresh enough."
        yield "queries.opt_out_treatments", words
    for number, template in enumerate(policy.review.template, 1):
        if any(set(found) == {"0"} for found in template.query_hashes):
            yield f"review.template[{number}].query_hashes", "This hash is a placeholder: no question has it."


def _promises(policy: Policy) -> Iterator[tuple[str, str]]:
    worst = max(promised(policy), key=lambda promise: promise.guess)
    if worst.guess >= _LITTLE:
        words = (
            "These caps promise a patient little: with all of them spent, a guess at even odds that they are in the "
            f"data can be right {percent(worst.guess)} of the time."
        )
        yield "budget.node_wide", words


def _refuses_all(policy: Policy) -> Iterator[tuple[str, str]]:
    """Keys that refuse every query, each by itself."""
    who, queries = policy.who, policy.queries
    if not policy.bootstrap and policy.witnesses is None:
        yield "bootstrap", "Every query is refused: no witnesses are named, so nothing may leave."
    if not policy.dataset:
        yield "dataset", "Every query is refused: no dataset is listed."
    for name in ("projects", "organisations", "roles", "purposes", "key_kinds"):
        if getattr(who, name) == ():
            yield f"who.{name}", "Every query is refused: the list is empty."
    for name in ("aggregates", "modes", "opt_out_treatments", "disclosure_profiles"):
        if getattr(queries, name) == ():
            yield f"queries.{name}", "Every query is refused: the list is empty."
    if queries.modes and "local" not in queries.modes:
        yield "queries.modes", "Every query is refused: secure-sum is not built yet."
    known = [PROFILES[name] for name in queries.disclosure_profiles if name in PROFILES]
    if known and all(profile.minimum_released_count < queries.min_released_count for profile in known):
        yield "queries.min_released_count", "Every query is refused: no accepted profile withholds as many counts."
    for name in queries.disclosure_profiles:
        if name not in PROFILES:
            yield "queries.disclosure_profiles", f"There is no profile {name}: what names it is refused."
    if who.max_queries_per_hour == 0:
        yield "who.max_queries_per_hour", "Every query is refused: none is answered in an hour."
    if policy.review.every_query and not policy.review.minutes and not policy.review.template:
        yield "review.every_query", "Every query is refused: review.minutes gives a review no deadline."
    if policy.hours != "any" and not policy.hours.days:
        yield "hours.days", "Every query is refused: no day is listed."


def _names(place: str, rule: DatasetRule) -> Iterator[tuple[str, str]]:
    """Names that no catalogue of this release has: they are refused, and may be mistyped."""
    catalogue = None
    with contextlib.suppress(TrustQueryError):
        catalogue = load(rule.id)
    if catalogue is None:
        yield f"{place}.id", f"This release ships no catalogue {rule.id}, so its tables and columns were not checked."
    elif not isinstance(rule.tables, str):
        for number, item in enumerate(rule.tables, 1):
            yield from _columns(f"{place}.tables[{number}]", item.name, item.columns, catalogue)


def _columns(place: str, name: str, columns: object, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    table = catalogue.table(name)
    if table is None:
        close = nearest(name, [item.name for item in catalogue.tables]) or "none is close"
        yield f"{place}.name", f"{catalogue.id} has no table {name} (nearest: {close})."
    elif isinstance(columns, ColumnRoles):
        known = [column.name for column in table.columns]
        for role in ("dimension", "measure", "join_only", "forbidden"):
            for number, column in enumerate(getattr(columns, role), 1):
                if column not in known:
                    close = nearest(column, known) or "none is close"
                    yield f"{place}.columns.{role}[{number}]", f"{name} has no column {column} (nearest: {close})."

"""The log of uses: every query that has come to an end, read from the store and put on pages.

Cancelled queries and profiles are uses too: a trust may have read data for them.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from coordinator.projects import permit_in
from coordinator.queries import State
from coordinator.store import AnswerRow, QueryRow, ReleaseEventRow, ReviewRow, Store
from coordinator.store.uses import UseFilter
from coordinator.transparency.uses import TrustUse, Use
from trustquery.errors import TrustQueryError
from trustquery.errors.catalogue import CATALOGUE
from trustquery.identity import Answer, Intent
from trustquery.projects.register import iso_day

__all__ = ["PAGE", "Page", "month_of", "read_page", "read_uses"]

PAGE = 50


@dataclass(frozen=True)
class Page:
    """One page of the log. Page 1 is the oldest, so that each page holds the same uses for ever once it is full.

    Attributes:
        uses: newest first.
        number: from 1 to ``pages``.
        total: uses on all pages.
    """

    uses: tuple[Use, ...]
    number: int
    pages: int
    total: int


def month_of(text: str) -> tuple[int, int]:
    """When a month such as 2026-09 begins and ends, seconds since 1970 UTC; (0, 0) for "".

    Raises:
        TrustQueryError: ``usage-invalid``.
    """
    if not text:
        return 0, 0
    try:
        first = datetime.datetime.strptime(f"{text}-01", "%Y-%m-%d").replace(tzinfo=datetime.UTC)
        following = (first + datetime.timedelta(days=32)).replace(day=1)
    except (ValueError, OverflowError) as error:
        raise TrustQueryError("usage-invalid", place="month", problem="a month is written 2026-09") from error
    return int(first.timestamp()), int(following.timestamp())


def read_page(store: Store, wanted: UseFilter, number: int | None = None) -> Page:
    """One page; the last one, with the newest uses, when no number is given.

    Raises:
        TrustQueryError: ``usage-invalid``: there is no such page.
    """
    total = store.uses.count(wanted)
    pages = max(1, -(-total // PAGE))
    chosen = number if number is not None else pages
    if not 1 <= chosen <= pages:
        raise TrustQueryError("usage-invalid", place="page", problem=f"the pages are 1 to {pages}")
    rows = store.uses.some(wanted, skip=(chosen - 1) * PAGE, limit=PAGE)
    return Page(tuple(reversed(read_uses(store, rows))), chosen, pages, total)


def read_uses(store: Store, rows: Iterable[QueryRow]) -> tuple[Use, ...]:
    """Rows with everything that belongs to them, in the same order."""
    kept = list(rows)
    names = [row.release_id for row in kept]
    answers, events, reviews = store.uses.answers(names), store.uses.events(names), store.reviews.of(names)
    criteria, erased = store.keeping.criteria(names), store.keeping.erased(names)
    parameters = store.queries.parameters_of(names)
    return tuple(
        replace(
            _use(
                row,
                answers[row.release_id],
                events[row.release_id],
                json.loads(parameters.get(row.release_id, "{}")),
                reviews.get(row.release_id),
            ),
            criteria=None if found is None else {"record": json.loads(found.record), "sha256": found.sha256},
            erased_on="" if (at := erased.get(row.release_id)) is None else iso_day(at),
        )
        for row, found in zip(kept, map(criteria.get, names), strict=True)
    )


# A document's bytes never change, and pages are read again and again. What verifies a signature reads it anew.
@lru_cache(1_024)
def _intent(envelope: bytes) -> Intent:
    return Intent.read(envelope)


@lru_cache(1_024)
def _answer(envelope: bytes) -> Answer:
    return Answer.read(envelope)


def _use(
    row: QueryRow,
    answers: list[AnswerRow],
    events: list[ReleaseEventRow],
    parameters: dict[str, Any],
    review: ReviewRow | None,
) -> Use:
    permit, intent = permit_in(row.permit), _intent(row.intent)
    member = permit.member(intent.key_id)
    by_node = {answer.node: answer for answer in answers}
    published = next((event for event in reversed(events) if event.action == "publish"), None)
    withdrawn = next((event for event in events if event.action == "withdraw"), None)
    shown = published is not None and withdrawn is None
    return Use(
        row=row,
        permit=permit,
        intent=intent,
        role=f"project {member.role}" if member is not None and member.role == "lead" else "analyst",
        outcome=_outcome(row, answers),
        parameters=parameters,
        trusts=tuple(_trust(node, by_node.get(node)) for node in row.named),
        published=json.loads(published.table) if shown and published is not None else None,
        published_on=iso_day(published.at) if published is not None else "",
        withdrawn=(iso_day(withdrawn.at), withdrawn.reason) if withdrawn is not None else None,
        review=review if review is not None and review.outcome else None,
    )


def _outcome(row: QueryRow, answers: list[AnswerRow]) -> str:
    if row.state == State.CLOSED:
        return "released"
    if row.state == State.RETURNED:
        return "returned"
    if row.state == State.CANCELLED:
        return "cancelled"
    in_time = {answer.status for answer in answers if not answer.late}
    return "refused" if "refused" in in_time and "answer" not in in_time else "too-few"


def _trust(node: str, row: AnswerRow | None) -> TrustUse:
    if row is None:
        return TrustUse(node, "no-answer", (), 0)
    if row.status == "answer":
        return TrustUse(node, "late" if row.late else "answered", (), row.rho_nano)
    if row.status != "refused":
        return TrustUse(node, "no-answer", (), row.rho_nano)
    try:
        answer = _answer(row.envelope)
    except TrustQueryError:
        return TrustUse(node, "no-answer", (), row.rho_nano)
    # Codes alone: what a reason says beside its code may name a person.
    codes = {str(reason.get("code")) for reason in answer.reasons}
    return TrustUse(node, "refused", tuple(sorted(codes & CATALOGUE.keys())), row.rho_nano)

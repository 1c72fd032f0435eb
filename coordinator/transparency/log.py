"""The log of uses: every query that has come to an end, with its code, its cost and what each trust said.

Cancelled queries and profiles are uses too: a trust may have read data for them. The person who asked is not named, but
the project and their role in it are, and the register names the team.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from coordinator.queries import State
from coordinator.store import AnswerRow, QueryRow, ReleaseEventRow, ReviewRow, Store
from coordinator.store.uses import UseFilter
from trustquery.errors import TrustQueryError
from trustquery.errors.catalogue import CATALOGUE
from trustquery.identity import Answer, Intent, Permit
from trustquery.language.parameters import Parameter, Parameters, read_parameters
from trustquery.outputs.criteria import Criteria
from trustquery.outputs.profiles import profile_rules
from trustquery.privacy.budget import epsilon_of
from trustquery.projects.register import iso_day, rho_text, said
from trustquery.reviews.shown import REVIEWED_BY

__all__ = ["LOG_COLUMNS", "OUTCOMES", "PAGE", "Page", "TrustUse", "Use", "month_of", "read_page", "read_uses"]

PAGE = 50
OUTCOMES = {
    "released": "A result was released",
    "refused": "Refused: no trust answered",
    "too-few": "No result: too few trusts answered",
    "returned": "No result: two output checkers did not both approve it",
    "cancelled": "Cancelled by the person who asked",
}
LOG_COLUMNS = (
    "Date",
    "Project ID",
    "Project title",
    "Purpose",
    "Lay summary",
    "Asked by",
    "Query hash",
    "Release",
    "Dataset",
    "Code (SQL)",
    "Parameters",
    "Outcome",
    "Output review",
    "Trusts asked",
    "Trusts that answered",
    "Trusts that did not, with reason",
    "Privacy loss at each trust (rho)",
    "Privacy loss at each trust (epsilon at delta 1e-8)",
    "Result",
    "Disclosure criteria",
    "Withdrawal",
)


@dataclass(frozen=True)
class TrustUse:
    """What one trust did.

    Attributes:
        word: answered, late, refused or no-answer.
        reasons: codes of the catalogue, of a refusal.
        rho_nano: charged there, in 1e-9 rho.
    """

    node: str
    word: str
    reasons: tuple[str, ...]
    rho_nano: int


@dataclass(frozen=True)
class Use:
    """One query that has ended.

    Attributes:
        role: of the person who asked, in the project.
        published: the result as it was published, None where it is not shown.
        withdrawn: day and reason of the withdrawal, None without one.
        criteria: the record of what the result was disclosed under, published or not, and its hash; None where there
            is no result, and for results from before records were kept.
        erased_on: day on which the figures were erased by age, "" while they are kept.
        review: by output checkers, once it has an outcome; None where there was none.
    """

    row: QueryRow
    permit: Permit
    intent: Intent
    role: str
    outcome: str
    parameters: dict[str, Any]
    trusts: tuple[TrustUse, ...]
    published: dict[str, Any] | None
    published_on: str
    withdrawn: tuple[str, str] | None
    criteria: dict[str, Any] | None = None
    erased_on: str = ""
    review: ReviewRow | None = None

    @property
    def date(self) -> str:
        """The day on which it ended."""
        return iso_day(self.row.closed)

    @property
    def result_words(self) -> str:
        """Whether people can read the result."""
        if self.withdrawn is not None:
            return "Withdrawn"
        if self.published is not None:
            return "Published"
        if self.outcome != "released":
            return "None"
        return f"Not published, and erased on {self.erased_on}" if self.erased_on else "Not published"

    @property
    def criteria_words(self) -> str:
        """The profile that the result is shown under, who asked for it, who reviewed it, and the record's hash."""
        if self.criteria is None:
            return "Not recorded" if self.outcome == "released" else "None"
        record = Criteria.model_validate_json(json.dumps(self.criteria["record"]))
        shown = record.presentation
        rules = profile_rules(shown.minimum_released_count, shown.rounding)
        reviewed = ", ".join(record.reviewed_by) or "nobody recorded"
        return (
            f"Profile {shown.profile} ({rules}), asked by {', '.join(shown.asked_by)}; {record.mechanism}; "
            f"reviewed by {reviewed}; SHA-256 {self.criteria['sha256']}"
        )

    @property
    def review_words(self) -> str:
        """Who looked at the merged table before it was shown, and what they said: roles, never names."""
        if self.review is None:
            return "None"
        return "Two output checkers: approved" if self.review.outcome == "approved" else "Output checkers: not approved"

    def _review_document(self) -> dict[str, Any] | None:
        if self.review is None:
            return None
        # The hash of a table that is not public would only let somebody try whether a guess is it.
        return {
            "by": list(REVIEWED_BY),
            "outcome": self.review.outcome,
            "table_sha256": self.review.table_sha256 if self.published is not None else "",
        }

    @property
    def _values(self) -> Parameters:
        return read_parameters(self.parameters)

    @property
    def columns(self) -> dict[str, str]:
        """The row of the log: every column, no cell empty."""
        charged = [trust for trust in self.trusts if trust.rho_nano]
        answered = [trust.node for trust in self.trusts if trust.word == "answered"]
        others = [trust for trust in self.trusts if trust.word != "answered"]
        cells = (
            self.date,
            self.row.project,
            said(self.permit.title),
            self.permit.purpose,
            said(self.permit.lay_summary),
            self.role,
            self.row.query_hash,
            self.row.release_id,
            self.row.dataset,
            said(self.row.sql),
            "; ".join(f"{name} = {_shown(value)}" for name, value in sorted(self._values.items())) or "None",
            OUTCOMES[self.outcome],
            self.review_words,
            "; ".join(trust.node for trust in self.trusts),
            "; ".join(answered) or "None",
            "; ".join(f"{trust.node} {', '.join((trust.word, *trust.reasons))}" for trust in others) or "None",
            "; ".join(f"{trust.node} {rho_text(trust.rho_nano)}" for trust in charged) or "0",
            "; ".join(f"{trust.node} {epsilon_of(trust.rho_nano)}" for trust in charged) or "0",
            self.result_words,
            said(self.criteria_words),
            f"{self.withdrawn[0]}: {said(self.withdrawn[1])}" if self.withdrawn is not None else "None",
        )
        return dict(zip(LOG_COLUMNS, cells, strict=True))

    def document(self) -> dict[str, Any]:
        """The use as JSON data."""
        return {
            "release": self.row.release_id,
            "query_hash": self.row.query_hash,
            "catalogue_hash": self.intent.catalogue_hash,
            "columns": self.columns,
            "date": self.date,
            "project": self.row.project,
            "outcome": self.outcome,
            "sql": self.row.sql,
            "parameters": self.parameters,
            "rho_nano": self.intent.rho_nano,
            "delta_atto": str(self.intent.delta_atto),
            "trusts": [
                {
                    "node": trust.node,
                    "word": trust.word,
                    "reasons": list(trust.reasons),
                    "rho_nano": trust.rho_nano,
                    "epsilon": str(epsilon_of(trust.rho_nano)),
                }
                for trust in self.trusts
            ],
            "published": self.published is not None,
            "published_on": self.published_on,
            "review": self._review_document(),
            "withdrawn": None
            if self.withdrawn is None
            else {"date": self.withdrawn[0], "reason": said(self.withdrawn[1])},
            "criteria": self.criteria,
            "erased_on": self.erased_on,
            "result": self.published,
        }


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
    return tuple(
        replace(
            _use(
                row,
                answers[row.release_id],
                events[row.release_id],
                json.loads(store.queries.parameters(row.release_id)),
                reviews.get(row.release_id),
            ),
            criteria=None if found is None else {"record": json.loads(found.record), "sha256": found.sha256},
            erased_on="" if (at := erased.get(row.release_id)) is None else iso_day(at),
        )
        for row, found in zip(kept, map(criteria.get, names), strict=True)
    )


def _use(
    row: QueryRow,
    answers: list[AnswerRow],
    events: list[ReleaseEventRow],
    parameters: dict[str, Any],
    review: ReviewRow | None,
) -> Use:
    permit = Permit.read(row.permit)
    intent = Intent.read(row.intent)
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


def _shown(value: Parameter) -> str:
    return ", ".join(said(str(item)) for item in value) if isinstance(value, list | tuple) else said(str(value))


def _trust(node: str, row: AnswerRow | None) -> TrustUse:
    if row is None:
        return TrustUse(node, "no-answer", (), 0)
    if row.status == "answer":
        return TrustUse(node, "late" if row.late else "answered", (), row.rho_nano)
    if row.status != "refused":
        return TrustUse(node, "no-answer", (), row.rho_nano)
    try:
        answer = Answer.read(row.envelope)
    except TrustQueryError:
        return TrustUse(node, "no-answer", (), row.rho_nano)
    # Codes alone: what a reason says beside its code may name a person.
    codes = {str(reason.get("code")) for reason in answer.reasons}
    return TrustUse(node, "refused", tuple(sorted(codes & CATALOGUE.keys())), row.rho_nano)

"""What the log says of one use: its columns, its words and its document.

The person who asked is not named, but the project and their role in it are, and the register names the team.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from coordinator.store import QueryRow, ReviewRow
from trustquery.identity import Intent, Permit
from trustquery.language.parameters import Parameter, Parameters, read_parameters
from trustquery.outputs.criteria import Criteria
from trustquery.outputs.profiles import profile_rules
from trustquery.privacy.budget import epsilon_of
from trustquery.projects.register import iso_day, rho_text, said
from trustquery.reviews.shown import REVIEWED_BY

__all__ = ["LOG_COLUMNS", "OUTCOMES", "TrustUse", "Use"]

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

    @cached_property
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


def _shown(value: Parameter) -> str:
    return ", ".join(said(str(item)) for item in value) if isinstance(value, list | tuple) else said(str(value))

"""What a month's report is made of, as it was read from the ledger, the log and the documents kept."""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from node_agent.budget.decisions import Charged, Decided
from node_agent.budget.history import Happened, Passed
from node_agent.logs import Refused
from trustquery.errors import TrustQueryError
from trustquery.identity import Acceptance, Permit
from trustquery.policy import Policy
from trustquery.projects.decisions import Stance

__all__ = ["Evidence", "Known", "Span", "last_month", "read_month"]

_EPOCH = datetime.date(1970, 1, 1)
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")


@dataclass(frozen=True)
class Span:
    """One calendar month in UTC.

    Attributes:
        first, last: days since 1970; ``last`` is today where the month is not over.
        whole: whether it is over.
    """

    name: str
    first: int
    last: int
    whole: bool


def last_month(today: datetime.date) -> str:
    """The last full month, such as 2026-10."""
    return (today.replace(day=1) - datetime.timedelta(days=1)).strftime("%Y-%m")


def read_month(text: str, today: datetime.date) -> Span:
    """Read a month such as 2026-11.

    Raises:
        TrustQueryError: ``usage-invalid``: no month, or one that has not begun.
    """
    found = _MONTH.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 12 or int(found[1]) < 1970:
        raise TrustQueryError("usage-invalid", place="--month", problem="write a month such as 2026-11")
    begins = datetime.date(int(found[1]), int(found[2]), 1)
    ends = begins.replace(day=calendar.monthrange(begins.year, begins.month)[1])
    if begins > today:
        raise TrustQueryError("usage-invalid", place="--month", problem="that month has not begun")
    return Span(text, (begins - _EPOCH).days, (min(ends, today) - _EPOCH).days, ends < today)


@dataclass(frozen=True)
class Known:
    """What the node keeps of one project: its permit, the trust's yes to that permit, and what it last said."""

    permit: Permit
    acceptance: Acceptance | None = None
    stance: Stance | None = None

    def name(self, person: str) -> str:
        """A person's name as on the permit, "" where it is not there."""
        return next((member.name for member in self.permit.members if member.person == person), "")


@dataclass(frozen=True)
class Evidence:
    """Everything that a month's report is made of.

    Attributes:
        releases: of the month and of the day after it: a question may be decided before midnight and reserved after.
        decisions: of the month.
        decided: release ids of every decision there ever was.
        charges: all up to the month's end that were not given back.
        refusals, changes: ledger entries that may be of the month.
        logged: refusals that the local log still holds, by release id.
        versions: hash to kind and version of what was in force; ``names``: hash to kind and name of what was seen.
        policy: in force now; None where there is none.
        known: projects whose permits are kept, by name.
        subjects: names under which datasets' budgets are kept.
    """

    trust: str
    node: str
    federation: str
    releases: tuple[Passed, ...] = ()
    decisions: tuple[Decided, ...] = ()
    decided: frozenset[str] = frozenset()
    charges: tuple[Charged, ...] = ()
    refusals: tuple[Happened, ...] = ()
    changes: tuple[Happened, ...] = ()
    logged: Mapping[str, Refused] = field(default_factory=dict)
    versions: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    names: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    policy: Policy | None = None
    known: Mapping[str, Known] = field(default_factory=dict)
    subjects: tuple[str, ...] = ()

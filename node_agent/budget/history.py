"""What the ledger can tell people of a span of days: releases, refusals, charges, and which documents came and went.

Entries carry no time, so that a checkpoint tells nobody when a trust was asked. A release and a decision know their
day; every other entry lies between two that do.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from node_agent.budget.alarms import Alarm, AlarmReader
from node_agent.budget.cosigned import CosignedReader
from node_agent.budget.database import Database
from node_agent.budget.decisions import DAY, Charged, Decided, DecisionReader
from node_agent.budget.entries import last_time
from node_agent.budget.states import State
from node_agent.budget.verify import FIRST_WITH_ERASURES
from node_agent.budget.verify_book import FIRST_WITH_A_BOOK
from trustquery.log import Leaf

__all__ = ["Happened", "HistoryReader", "Kept", "Passed", "history"]


@dataclass(frozen=True)
class Passed:
    """One release: what became of a question that the gate reserved budget for. ``day``: days since 1970 UTC."""

    release_id: str
    query_hash: str
    project: str
    person: str
    state: State
    stored: bool
    day: int


@dataclass(frozen=True)
class Happened:
    """One entry, and the days between which it was made.

    Attributes:
        about: hash of the document or intent that it is about, "" for none.
        first, last: days since 1970 UTC; ``first`` is 0 where nothing before it is dated.
    """

    seq: int
    kind: str
    release_id: str
    about: str
    first: int
    last: int


@dataclass(frozen=True)
class Kept:
    """How many answers are kept, how many were erased, and the last day of that, since 1970 UTC; 0 for none."""

    answers: int
    erased: int
    last_day: int


class HistoryReader:
    """One moment of a ledger, open for reading; also beside a running node."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._decisions = DecisionReader(db)
        points = db.rows("SELECT reserved_seq, day FROM release ORDER BY reserved_seq")
        if db.version >= FIRST_WITH_A_BOOK:
            points += [(seq, lodged // DAY) for seq, lodged in db.rows("SELECT seq, lodged FROM lodged")]
        self._points = sorted((int(seq), int(day)) for seq, day in points)
        self._today = last_time(db) // DAY

    def releases(self, first: int, last: int) -> tuple[Passed, ...]:
        """Releases reserved on these days, oldest first."""
        rows = self._db.rows(
            "SELECT release_id, query_hash, project, analyst, state, stored, day FROM release"
            " WHERE day BETWEEN ? AND ? ORDER BY reserved_seq",
            (first, last),
        )
        return tuple(
            Passed(release_id, query, project, person, State(state), bool(stored), day)
            for release_id, query, project, person, state, stored, day in rows
        )

    def decisions(self, first: int, last: int) -> tuple[Decided, ...]:
        """Decisions of the policy taken on these days, oldest first."""
        return tuple(item for item in self._decisions.since(first) if item.day <= last)

    def decided(self) -> frozenset[str]:
        """Release ids of every decision of the policy that is kept."""
        if self._db.version < FIRST_WITH_A_BOOK:
            return frozenset()
        return frozenset(str(row[0]) for row in self._db.rows("SELECT DISTINCT release_id FROM decision"))

    def charges(self, last: int) -> tuple[Charged, ...]:
        """Every charge up to a day that was not given back, oldest first."""
        return tuple(item for item in self._decisions.charges() if item.day <= last)

    def happened(self, first: int, last: int, kinds: frozenset[str]) -> tuple[Happened, ...]:
        """Entries of these kinds that may have been made on these days, oldest first."""
        found = []
        for seq, kind, payload in self._db.rows("SELECT seq, kind, payload FROM leaf ORDER BY seq"):
            if kind not in kinds:
                continue
            low, high = self._days(seq)
            if low <= last and high >= first:
                leaf = Leaf.from_payload(bytes(payload))
                found.append(Happened(seq, kind, leaf.release_id, leaf.intent_hash, low, high))
        return tuple(found)

    def _days(self, seq: int) -> tuple[int, int]:
        place = bisect.bisect_left(self._points, (seq, 0))
        after = self._points[place] if place < len(self._points) else (seq, self._today)
        if after[0] == seq and place < len(self._points):
            return after[1], after[1]
        return (self._points[place - 1][1] if place else 0), after[1]

    def kept(self) -> Kept:
        """What there is of answers that have ended, sent or withheld."""
        ended = "SELECT count(*) FROM release WHERE state IN ('SENT', 'WITHHELD')"
        found = self._db.rows(ended)[0][0]
        if self._db.version < FIRST_WITH_ERASURES:
            return Kept(int(found), 0, 0)
        erased, day = self._db.rows("SELECT count(*), coalesce(max(day), 0) FROM erased")[0]
        return Kept(int(found) - int(erased), int(erased), int(day))

    def alarms(self) -> tuple[Alarm, ...]:
        """What the coordinator sent that no honest one sends, oldest first."""
        return AlarmReader(self._db).all()

    def frozen(self) -> bool:
        """Whether witnesses have cosigned another life of this ledger, and nobody has settled it."""
        return CosignedReader(self._db).frozen() is not None

    def cosigned(self) -> bytes:
        """The newest head with its quorum's cosignatures; b"" for none."""
        return CosignedReader(self._db).newest()

    def versions(self) -> Mapping[str, tuple[str, int]]:
        """Hash to kind and version, of every policy and list of people that was ever in force."""
        if self._db.version < FIRST_WITH_A_BOOK:
            return {}
        rows = self._db.rows("SELECT sha256, kind, version FROM governed")
        return {str(sha256): (str(kind), int(version)) for sha256, kind, version in rows}

    def names(self) -> Mapping[str, tuple[str, str]]:
        """Hash to kind and name, of every document whose last version was seen here."""
        rows = self._db.rows("SELECT sha256, kind, name FROM seen_version WHERE sha256 <> ''")
        return {str(sha256): (str(kind), str(name)) for sha256, kind, name in rows}


@contextmanager
def history(path: Path) -> Iterator[HistoryReader]:
    """Read a ledger as it is at one moment, without holding up whoever writes it.

    Raises:
        TrustQueryError: ``config-missing``: there is none yet; ``ledger-corrupt``, ``ledger-unwritable``.
    """
    db = Database(path, write=False, check=False)
    try:
        with db.reading():
            yield HistoryReader(db)
    finally:
        db.close()

"""What the coordinator sent that no honest coordinator sends: one entry for each, and in a table when and why.

The entry has the hash of what was sent and a commitment to the rest, so that the log tells nobody when a trust was
attacked. A flood cannot fill the disk: a day has a bounded number of entries, and the last of them counts what came
after it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from node_agent.budget.database import Database
from node_agent.budget.entries import Entries
from node_agent.budget.verify_alarms import FIRST_WITH_ALARMS, alarm_subject

__all__ = ["MORE", "MOST_A_DAY", "Alarm", "AlarmReader", "Alarms"]

DAY = 86_400
MOST_A_DAY = 100
"""Entries of one day of the budget clock, the one that counts the rest included."""
MORE = "more"
"""Stands in place of a code where an alarm counts those that found no place of their own."""


@dataclass(frozen=True)
class Alarm:
    """One alarm.

    Attributes:
        seq: of its entry in the ledger.
        code: why it was refused, or ``MORE``.
        place: which document or which part of a frame.
        sha256: of the bytes that were refused; "" where it counts others.
        at: when, seconds since 1970 by the budget clock.
        more: how many others it counts.
    """

    seq: int
    code: str
    place: str
    sha256: str
    at: int
    more: int


class AlarmReader:
    """The alarms of a ledger."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self) -> tuple[Alarm, ...]:
        """Every alarm, oldest first; an older file has none."""
        if self._db.version < FIRST_WITH_ALARMS:
            return ()
        rows = self._db.rows("SELECT seq, code, place, sha256, at, more FROM alarm ORDER BY seq")
        return tuple(Alarm(*row) for row in rows)


class Alarms(AlarmReader):
    """The alarms, open for writing."""

    def __init__(self, entries: Entries) -> None:
        super().__init__(entries.db)
        self._entries = entries

    def note(self, code: str, place: str, data: bytes, now: int, *, once: bool) -> None:
        """Enter that something was refused.

        Args:
            once: whether the same bytes, refused for the same reason, are one event however often they come.

        Raises:
            TrustQueryError: ``ledger-unwritable``.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        with self._db.lock:
            if once and self._db.row(
                "SELECT 1 FROM alarm WHERE sha256 = ? AND code = ? AND place = ?", (sha256, code, place)
            ):
                return
            with self._entries.writing(now) as transaction:
                today = (transaction.now // DAY) * DAY
                row = self._db.row("SELECT count(*), max(seq) FROM alarm WHERE at >= ?", (today,))
                count, last = row or (0, None)
                if count >= MOST_A_DAY:
                    transaction.run("UPDATE alarm SET more = more + 1 WHERE seq = ?", (last,))
                    return
                if count == MOST_A_DAY - 1:
                    code, place, sha256 = MORE, "", ""
                facts = transaction.commitment("alarm", alarm_subject(code, place, sha256, transaction.now))
                leaf = transaction.append("alarm", intent_hash=sha256, facts_commitment=facts)
                transaction.run(
                    "INSERT INTO alarm (seq, code, place, sha256, at, more) VALUES (?, ?, ?, ?, ?, ?)",
                    (leaf.seq, code, place, sha256, transaction.now, int(code == MORE)),
                )

"""Every alarm in the table has its entry, and every such entry its alarm, word for word."""

from __future__ import annotations

from collections.abc import Sequence

from node_agent.budget.database import Database
from trustquery.errors import TrustQueryError
from trustquery.log import Leaf, commitment

__all__ = ["FIRST_WITH_ALARMS", "alarm_subject", "check_alarms"]

FIRST_WITH_ALARMS = 5
"""The first version of the tables that has alarms."""


def alarm_subject(code: str, place: str, sha256: str, at: int) -> str:
    """What the entry of an alarm commits to beside its hash."""
    return f"{code} {place} {sha256} {at}"


def check_alarms(db: Database, entries: Sequence[Leaf]) -> None:
    """Compare the table with the entries of kind ``alarm``.

    How many others an alarm counts is in the table alone.

    Raises:
        TrustQueryError: ``ledger-corrupt``.
    """
    known = db.version >= FIRST_WITH_ALARMS
    found = {row[0]: row for row in db.rows("SELECT seq, code, place, sha256, at FROM alarm")} if known else {}
    said = {leaf.seq: leaf for leaf in entries}
    if set(found) != set(said):
        raise TrustQueryError("ledger-corrupt", seq=max(set(found) ^ set(said)))
    for seq, code, place, sha256, at in found.values():
        subject = alarm_subject(code, place, sha256, at)
        salt = db.row("SELECT salt FROM salt WHERE scope = 'alarm' AND subject = ?", (subject,))
        entry = said[seq]
        if salt is None or commitment(bytes(salt[0]), "alarm", subject) != entry.facts_commitment:
            raise TrustQueryError("ledger-corrupt", seq=seq)
        if entry.intent_hash != sha256:
            raise TrustQueryError("ledger-corrupt", seq=seq)

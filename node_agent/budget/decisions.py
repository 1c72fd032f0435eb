"""The input of every decision of the policy, kept so that it can be decided again: by auditors, or by another policy.

What is kept is the query's text and the signed documents as the policy sees them, never data. An entry is written
before the refusal or the answer is said; where it cannot be written, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from node_agent.budget.database import Database
from node_agent.budget.entries import Entries
from node_agent.budget.verify_book import FIRST_WITH_A_BOOK

__all__ = ["Charged", "Decided", "DecisionReader", "Decisions"]

DAY = 86_400
_AT_A_TIME = 1_000


@dataclass(frozen=True)
class Decided:
    """One decision as it was taken.

    Attributes:
        input: canonical bytes of what the policy saw.
        rules: ids of the rules that objected, in their order.
        policy_version: of the policy that decided; ``policy_hash`` is its hash.
        day: whole days since 1970 UTC, by the budget clock.
    """

    release_id: str
    input: bytes
    allowed: bool
    rules: tuple[str, ...]
    policy_version: int
    policy_hash: str
    day: int = 0


@dataclass(frozen=True)
class Charged:
    """One charge to one scope, in the order in which they were made; refunded ones are left out."""

    release_id: str
    scope: str
    subject: str
    rho_nano: int
    delta_atto: int
    day: int


class DecisionReader:
    """The recorded decisions and charges of a ledger, oldest first, a part at a time."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def since(self, day: int = 0) -> Iterator[Decided]:
        """Decisions of a day and of those after it."""
        last = 0
        while self._db.version >= FIRST_WITH_A_BOOK:
            rows = self._db.rows(
                "SELECT seq, release_id, input, allowed, rules, policy_version, policy_hash, day FROM decision"
                " WHERE seq > ? AND day >= ? ORDER BY seq LIMIT ?",
                (last, day, _AT_A_TIME),
            )
            if not rows:
                return
            last = rows[-1][0]
            for _, release_id, content, allowed, rules, version, sha256, on in rows:
                objected = tuple(rules.split(" ")) if rules else ()
                yield Decided(release_id, bytes(content), bool(allowed), objected, version, sha256, on)

    def charges(self) -> Iterator[Charged]:
        """Every charge that was not given back, in the order of reservations."""
        for row in self._db.rows(
            "SELECT release_id, scope, subject, charge.rho_nano, charge.delta_atto, charge.day"
            " FROM charge JOIN release USING (release_id) WHERE refunded = 0 ORDER BY reserved_seq, scope, subject"
        ):
            yield Charged(*row)


class Decisions(DecisionReader):
    """The record, open for writing."""

    def __init__(self, entries: Entries) -> None:
        super().__init__(entries.db)
        self._entries = entries

    def record(self, decided: Decided, now: int) -> None:
        """Keep one decision, durably; its day is that of the budget clock.

        Raises:
            TrustQueryError: ``ledger-unwritable``.
        """
        with self._entries.writing(now) as transaction:
            transaction.run(
                "INSERT INTO decision (release_id, input, allowed, rules, policy_version, policy_hash, day)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    decided.release_id,
                    decided.input,
                    int(decided.allowed),
                    " ".join(decided.rules),
                    decided.policy_version,
                    decided.policy_hash,
                    transaction.now // DAY,
                ),
            )

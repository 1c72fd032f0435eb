"""What can be asked of the ledger without changing it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from node_agent.budget.cosigned import CosignedReader
from node_agent.budget.entries import Entries, last_time
from node_agent.budget.exhausting import lost_of, marks
from node_agent.budget.port import WINDOW_DAYS, Release, ScopeName, Spent
from node_agent.budget.states import State
from node_agent.budget.verify import FIRST_WITH_ERASURES
from trustquery.errors import TrustQueryError
from trustquery.log import Checkpoint

__all__ = ["DAY", "LedgerReader"]

DAY = 86_400
SUSPENSION_DAYS = 30
_FIELDS = tuple(field.name for field in dataclasses.fields(Release))


class LedgerReader:
    """A verified ledger, open for reading; also beside a running node.

    Args:
        path: the database file.

    Raises:
        TrustQueryError: ``config-sqlite-version``, ``config-missing``, ``ledger-corrupt``, ``ledger-unwritable``.
    """

    def __init__(self, path: Path, *, write: bool = False) -> None:
        self._entries = Entries(path, write=write)
        self._db = self._entries.db

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def failed(self) -> bool:
        """Whether a write has failed; the process then answers nothing more."""
        return self._db.failed

    def time(self, now: int) -> int:
        """The budget clock: never earlier than the last entry, whatever the wall says."""
        return max(now, last_time(self._db))

    def find(self, release_id: str) -> Release | None:
        """The release, or None."""
        row = self._db.row(
            "SELECT release_id, intent_hash, query_hash, plan_hash, state, project, analyst, data_version, mode,"
            " rho_nano, policy_hash, planned_slot, not_after, project_ends, due_ms, stored, reserved_seq"
            " FROM release WHERE release_id = ?",
            (release_id,),
        )
        return _release(row) if row else None

    def found(self, release_id: str) -> Release:
        """The release, which must exist.

        Raises:
            TrustQueryError: ``ledger-state``.
        """
        release = self.find(release_id)
        if release is None:
            raise TrustQueryError("ledger-state", found="nothing", wanted="a release")
        return release

    def outbox(self, release_id: str) -> bytes | None:
        """The exact bytes of a release, or None."""
        row = self._db.row("SELECT bytes FROM outbox WHERE release_id = ?", (release_id,))
        return bytes(row[0]) if row else None

    def has_left(self, release_id: str) -> bool:
        """Whether the release's bytes were ever handed to the stream."""
        row = self._db.row("SELECT state FROM outbox WHERE release_id = ?", (release_id,))
        return row is not None and row[0] != "ready"

    def is_settled(self, release_id: str) -> bool:
        """Whether the coordinator has said that it holds the release's bytes, or they were erased here since."""
        return (
            self._db.row(
                "SELECT 1 FROM outbox WHERE release_id = ?1 AND state = 'acknowledged'"
                " UNION ALL SELECT 1 FROM erased WHERE release_id = ?1",
                (release_id,),
            )
            is not None
        )

    def unsent(self) -> tuple[Release, ...]:
        """Releases whose bytes, an answer or a no-answer, were never handed to the stream; oldest first."""
        return self._releases(
            "SELECT release_id FROM release LEFT JOIN outbox USING (release_id)"
            " WHERE release.state IN ('COMMITTED', 'HELD', 'WITNESSED')"
            " OR (release.state IN ('DEAD', 'EXPIRED') AND coalesce(outbox.state, 'ready') = 'ready')"
            " ORDER BY reserved_seq"
        )

    def held(self) -> tuple[Release, ...]:
        """Releases that people look at; oldest first."""
        return self._releases("SELECT release_id FROM release WHERE state = 'HELD' ORDER BY reserved_seq")

    def unacknowledged(self) -> tuple[Release, ...]:
        """Releases whose bytes were handed to the stream and not acknowledged; oldest first."""
        return self._releases(
            "SELECT release_id FROM release JOIN outbox USING (release_id)"
            " WHERE outbox.state = 'sent' ORDER BY reserved_seq"
        )

    def _releases(self, sql: str) -> tuple[Release, ...]:
        with self._db.lock:
            return tuple(self.found(row[0]) for row in self._db.rows(sql))

    def stored_vector(self, question: str) -> bytes | None:
        """The vector once released for an identical question, or None."""
        row = self._db.row("SELECT vector FROM stored_answer WHERE question = ?", (question,))
        return bytes(row[0]) if row else None

    def erased_day(self, question: str) -> int | None:
        """Last day, since 1970 UTC, on which a vector of an identical question was erased; None when none was."""
        if self._db.version < FIRST_WITH_ERASURES:
            return None
        row = self._db.row("SELECT max(day) FROM erased WHERE question = ?", (question,))
        return None if row is None or row[0] is None else int(row[0])

    def spent(self, scope: ScopeName, subject: str, now: int) -> Spent:
        """What a subject has spent, in all and in its scope's window.

        The window ends at the wall's time, not the budget clock's: one entry written while the wall stood years ahead
        would else end every window early for good. A wall that was set back only counts more.
        """
        with self._db.lock:
            day = now // DAY
            row = self._db.row(
                "SELECT coalesce(sum(rho_nano) FILTER (WHERE day > ?1), 0), coalesce(sum(rho_nano), 0),"
                " coalesce(sum(delta_atto) FILTER (WHERE day > ?1), 0), coalesce(sum(delta_atto), 0)"
                " FROM charge WHERE scope = ?2 AND subject = ?3 AND refunded = 0",
                (day - WINDOW_DAYS[scope], scope, subject),
            ) or (0, 0, 0, 0)
            lost = lost_of(self._db, scope, subject, day - WINDOW_DAYS[scope])
        return Spent(*(one + more for one, more in zip(row, lost, strict=True)))

    def totals(self) -> list[tuple[str, str, int, int, int]]:
        """Scope, subject, rho (1e-9), delta (1e-18) and number of releases; what counts as spent because entries were
        lost is in it."""
        rows = self._db.rows("SELECT scope, subject, spent_rho_nano, spent_delta_atto, releases FROM budget")
        found = {(str(row[0]), str(row[1])): (int(row[2]), int(row[3]), int(row[4])) for row in rows}
        for scope, subject, rho, delta in marks(self._db):
            before = found.get((scope, subject), (0, 0, 0))
            found[scope, subject] = before[0] + rho, before[1] + delta, before[2]
        return [(*key, *sums) for key, sums in found.items()]

    def states(self) -> dict[str, int]:
        """Number of releases in each state."""
        return {str(s): int(n) for s, n in self._db.rows("SELECT state, count(*) FROM release GROUP BY state")}

    def seen_by(self, question: str, scope: ScopeName, subject: str) -> bool:
        """Whether a project or analyst was already charged for this question."""
        row = self._db.row(
            "SELECT 1 FROM release JOIN charge USING (release_id)"
            " WHERE question = ? AND scope = ? AND subject = ? AND refunded = 0 LIMIT 1",
            (question, scope, subject),
        )
        return row is not None

    def no_answers(self, analyst: str, now: int) -> int:
        """Number of the person's releases that died in the last 30 days."""
        with self._db.lock:
            since = now // DAY - SUSPENSION_DAYS
            row = self._db.row(
                "SELECT count(*) FROM release WHERE state = 'DEAD' AND analyst = ? AND day > ?", (analyst, since)
            )
        return int(row[0]) if row else 0

    def size(self) -> int:
        """Number of entries."""
        with self._db.lock:
            return len(self._entries.tree)

    def head(self, origin: str, size: int) -> Checkpoint:
        """The checkpoint over the first ``size`` entries."""
        with self._db.lock:
            return Checkpoint(origin, size, self._entries.tree.root(size))

    def root(self, size: int) -> bytes:
        """The root over the first ``size`` entries."""
        with self._db.lock:
            return self._entries.tree.root(size)

    def proof(self, old: int, size: int) -> tuple[bytes, ...]:
        """Proof that the first ``size`` entries extend the first ``old``."""
        with self._db.lock:
            return self._entries.tree.consistency_proof(old, size)

    def last_seq(self, release_id: str) -> int:
        """Number of the newest entry about a release; 0 where there is none."""
        row = self._db.row("SELECT max(seq) FROM leaf WHERE release_id = ? AND kind != 'refused'", (release_id,))
        return 0 if row is None or row[0] is None else int(row[0])

    def cosigned_over(self, seq: int) -> bytes:
        """The smallest kept head that holds the entry with this number, with its cosignatures; b"" for none."""
        return CosignedReader(self._db).over(seq)

    def frozen(self) -> tuple[bytes, bytes] | None:
        """The two heads that froze it first, ours and theirs; None where it is not frozen."""
        return CosignedReader(self._db).frozen()


def _release(row: tuple[Any, ...]) -> Release:
    values = dict(zip(_FIELDS, row, strict=True))
    return Release(**{**values, "state": State(values["state"]), "stored": bool(values["stored"])})

"""The coordinator's log in its database: entries are added with what they record, and read as they were written."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from pydantic import ValidationError
from sqlalchemy import delete, event, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from coordinator.store.audit_models import (
    AuditCheckpointRow,
    AuditEntryRow,
    AuditHeadRow,
    AuditPolicyRow,
    AuditSecretRow,
    TallyRow,
)
from coordinator.store.auditing import Fact, facts_of
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret
from trustquery.log import TEXTS, Entry, commit

__all__ = ["NOBODY", "Audit", "keep_log", "note"]

NOBODY = "(nobody)"
"""Who stands in an entry where no account is meant; no account can be called so."""


_FACTS = "audit-facts"


def keep_log(sessions: sessionmaker[Session], clock: Callable[[], int]) -> None:
    """Let every session write its entries with its rows.

    They are gathered as rows are written, and numbered last of all: whoever numbers holds up every other writer.
    """

    def before_flush(session: Session, _context: Any, _instances: Any) -> None:
        session.info.setdefault(_FACTS, []).extend(list(facts_of(session)))

    def before_commit(session: Session) -> None:
        session.flush()
        for fact in session.info.pop(_FACTS, []):
            _append(session, fact, clock())

    event.listen(sessions, "before_flush", before_flush)
    event.listen(sessions, "before_commit", before_commit)


def note(session: Session, fact: Fact) -> None:
    """Have this transaction write an entry that no row makes."""
    session.info.setdefault(_FACTS, []).append(fact)


def _append(session: Session, fact: Fact, now: int) -> None:
    """Add one entry.

    Raises:
        TrustQueryError: ``log-unwritable``: and with it everything else in this transaction is undone.
    """
    try:
        head = session.get(AuditHeadRow, 1, with_for_update=True)
        if head is None:
            head = AuditHeadRow(id=1, size=0, on="")
            session.add(head)
        today = datetime.datetime.fromtimestamp(now, datetime.UTC).date().isoformat()
        salt = new_secret(32)
        entry = Entry(
            seq=head.size + 1,
            on=max(today, head.on),
            kind=fact.kind,
            text=TEXTS[fact.kind],
            project=fact.project,
            node=fact.node,
            release_id=fact.release_id,
            document_hash=fact.document_hash,
            rho_nano=fact.rho_nano,
            person_commitment=commit(salt, "person", fact.person) if fact.person else "",
            words_commitment=commit(salt, "words", fact.words) if fact.words else "",
        )
    except (SQLAlchemyError, ValidationError, KeyError) as error:
        raise TrustQueryError("log-unwritable") from error
    head.size, head.on = entry.seq, entry.on
    session.add(AuditEntryRow(seq=entry.seq, payload=entry.payload(), leaf_hash=entry.hash))
    if fact.person or fact.words:
        session.add(AuditSecretRow(seq=entry.seq, salt=salt, person=fact.person, words=fact.words))


class Audit:
    """The durable half of ``coordinator.transparency.audit_log``."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def size(self) -> int:
        """How many entries there are."""
        with self._transaction() as session:
            head = session.get(AuditHeadRow, 1)
            return head.size if head is not None else 0

    def leaves(self, start: int) -> list[bytes]:
        """Leaf hashes from position ``start`` on."""
        with self._transaction() as session:
            chosen = select(AuditEntryRow.leaf_hash).where(AuditEntryRow.seq > start).order_by(AuditEntryRow.seq)
            return [bytes(found) for found in session.scalars(chosen)]

    def payloads(self, start: int, count: int) -> list[bytes]:
        """Entries from position ``start`` on, as they were hashed."""
        with self._transaction() as session:
            chosen = select(AuditEntryRow.payload).where(AuditEntryRow.seq > start, AuditEntryRow.seq <= start + count)
            return [bytes(found) for found in session.scalars(chosen.order_by(AuditEntryRow.seq))]

    def checkpoint(self, size: int | None = None) -> bytes | None:
        """The head that was shown at this size, or the last one; None where there is none."""
        with self._transaction() as session:
            chosen = select(AuditCheckpointRow.note).order_by(AuditCheckpointRow.size.desc()).limit(1)
            found = session.scalar(chosen if size is None else chosen.where(AuditCheckpointRow.size == size))
            return bytes(found) if found is not None else None

    def keep_checkpoint(self, size: int, note: bytes) -> None:
        """Keep a head that is shown from now on."""
        with self._transaction() as session:
            session.merge(AuditCheckpointRow(size=size, note=note))

    def restart(self, head_sha256: str, person: str, words: str) -> None:
        """Begin a new log on the entries that are here: their entry, and no head that was shown under the former key.

        Args:
            head_sha256: of the last head that witnesses signed of the former one.
        """
        with self._transaction() as session:
            session.execute(delete(AuditCheckpointRow))
            note(session, Fact("log.restart", person=person, words=words, document_hash=head_sha256))

    def restarted(self) -> str:
        """The head whose loss the last entry tells of; "" where it tells of something else."""
        last = self.payloads(self.size() - 1, 1)
        entry = Entry.from_payload(last[0]) if last else None
        return entry.document_hash if entry is not None and entry.kind == "log.restart" else ""

    def opened(self, seq: int) -> tuple[bytes, str, str] | None:
        """Salt, person and words of an entry: what opens its commitments; None once they are erased."""
        with self._transaction() as session:
            row = session.get(AuditSecretRow, seq)
            return (row.salt, row.person, row.words) if row is not None else None

    def erase(self, person: str) -> int:
        """Erase what opens the commitments of a person, for good; the entries stay. Returns how many there were."""
        with self._transaction() as session:
            found = list(session.scalars(select(AuditSecretRow.seq).where(AuditSecretRow.person == person)))
            session.execute(delete(AuditSecretRow).where(AuditSecretRow.person == person))
            session.execute(update(TallyRow).where(TallyRow.person == person).values(person=NOBODY))
            return len(found)

    def policy(self, node: str, policy_hash: str) -> None:
        """Note which policy a node shows; another one than before is an entry."""
        with self._transaction() as session:
            row = session.get(AuditPolicyRow, node, with_for_update=True)
            if row is None:
                session.add(AuditPolicyRow(node=node, policy_hash=policy_hash))
            elif row.policy_hash != policy_hash:
                row.policy_hash = policy_hash

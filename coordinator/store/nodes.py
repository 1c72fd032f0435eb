"""Invitations, nodes and the documents that the root holders issue."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from coordinator.store.models import DocumentRow, Invitation, NodeRow

__all__ = ["Nodes"]


class Nodes:
    """Who belongs to the federation's transport, and the roster."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def invite(self, code_hash: str, ods: str, name: str, expires: int) -> None:
        """Keep an invitation; earlier unused ones of the same trust stop working."""
        with self._transaction() as session:
            session.execute(update(Invitation).where(Invitation.ods == ods, Invitation.used == 0).values(expires=0))
            session.add(Invitation(code_hash=code_hash, ods=ods, name=name, expires=expires))

    def enrol(self, code_hash: str, row: NodeRow, now: int) -> bool:
        """Use an invitation up and keep the node as pending; False when the code is unknown, used or expired."""
        with self._transaction() as session:
            code = session.get(Invitation, code_hash, with_for_update=True)
            if code is None or code.used or code.expires <= now or code.ods != row.ods:
                return False
            code.used, row.code_hash = now, code_hash
            earlier = session.get(NodeRow, row.ods)
            if earlier is not None:
                session.delete(earlier)
                session.flush()
            session.add(row)
            return True

    def enrolled_by(self, code_hash: str, ods: str, now: int) -> NodeRow | None:
        """The node that this very code enrolled, while the code lasts; None for a code that has not been used.

        An earlier enrolment of the same trust is not what a new code's holder is told about.
        """
        with self._transaction() as session:
            code, row = session.get(Invitation, code_hash), session.get(NodeRow, ods)
            if code is None or row is None or code.ods != ods or code.expires <= now or row.code_hash != code_hash:
                return None
            return row

    def invitations(self, now: int) -> list[Invitation]:
        """Invitations that can still be used."""
        with self._transaction() as session:
            return list(session.scalars(select(Invitation).where(Invitation.used == 0, Invitation.expires > now)))

    def get(self, ods: str) -> NodeRow | None:
        """A node by ODS code."""
        with self._transaction() as session:
            return session.get(NodeRow, ods)

    def everyone(self) -> list[NodeRow]:
        """All nodes by ODS code."""
        with self._transaction() as session:
            return list(session.scalars(select(NodeRow).order_by(NodeRow.ods)))

    def approve(self, ods: str, certificate_pem: str, serial: str) -> bool:
        """Approve a pending node; False when there is none."""
        with self._transaction() as session:
            row = session.get(NodeRow, ods, with_for_update=True)
            if row is None or row.status != "pending":
                return False
            row.status, row.certificate_pem, row.serial = "approved", certificate_pem, serial
            return True

    def revoke(self, ods: str) -> bool:
        """Revoke a node; False when there is none."""
        with self._transaction() as session:
            row = session.get(NodeRow, ods, with_for_update=True)
            if row is None:
                return False
            row.status = "revoked"
            return True

    def seen(self, ods: str, now: int) -> None:
        """Note the time of a node's last contact."""
        with self._transaction() as session:
            session.execute(update(NodeRow).where(NodeRow.ods == ods).values(last_seen=now))

    def install(self, row: DocumentRow) -> bool:
        """Keep a document; False when the same kind has this version or a later one."""
        with self._transaction() as session:
            newest = select(DocumentRow).where(DocumentRow.kind == row.kind).order_by(DocumentRow.version.desc())
            found = session.scalar(newest.limit(1))
            if found is not None and found.version >= row.version:
                return False
            session.add(row)
            return True

    def document(self, kind: str) -> DocumentRow | None:
        """The newest document of a kind."""
        with self._transaction() as session:
            newest = select(DocumentRow).where(DocumentRow.kind == kind).order_by(DocumentRow.version.desc())
            return session.scalar(newest.limit(1))

    def documents(self, kind: str) -> list[DocumentRow]:
        """Every document of a kind that was ever installed, oldest first."""
        with self._transaction() as session:
            chosen = select(DocumentRow).where(DocumentRow.kind == kind).order_by(DocumentRow.version)
            return list(session.scalars(chosen))

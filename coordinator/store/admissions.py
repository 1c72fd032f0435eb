"""Who said yes to a node, which certificates it may present, how often it has joined, and what happened to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager

from cryptography import x509
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from coordinator.store.models import AdmissionRow, CertificateRow, InviterRow, JoinRow, NodeEventRow, NodeRow
from trustquery.identity import canonical

__all__ = ["Admissions"]


class Admissions:
    """The durable half of ``coordinator.enrolment`` beside the nodes themselves."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    # -- who said yes --------------------------------------------------------------------------------------------

    def invited_by(self, code_hash: str, person: str) -> None:
        """Keep who made a code."""
        with self._transaction() as session:
            session.add(InviterRow(code_hash=code_hash, person=person))

    def inviter(self, code_hash: str) -> str:
        """The person who made a code; "" where nobody said."""
        with self._transaction() as session:
            row = session.get(InviterRow, code_hash)
            return row.person if row is not None else ""

    def decide(self, row: AdmissionRow, text: str) -> bool:
        """Keep one person's yes with its event; False when they have said it already."""
        with self._transaction() as session:
            if session.get(AdmissionRow, (row.about, row.person)) is not None:
                return False
            session.add(row)
            _note(session, row.ods, row.at, "approved", text)
            return True

    def deciders(self, about: str) -> list[str]:
        """Persons who said yes to this, in the order of their names."""
        with self._transaction() as session:
            chosen = select(AdmissionRow.person).where(AdmissionRow.about == about)
            return list(session.scalars(chosen.order_by(AdmissionRow.person)))

    # -- certificates --------------------------------------------------------------------------------------------

    def issued(self, ods: str, serial: str, expires: int, now: int, *, anew: bool) -> None:
        """Keep a certificate; those that have ended go.

        Args:
            anew: a new enrolment: earlier certificates end with it, and joins are counted from the start.
        """
        with self._transaction() as session:
            if anew:
                session.execute(delete(CertificateRow).where(CertificateRow.ods == ods))
                session.execute(delete(JoinRow).where(JoinRow.ods == ods))
            session.execute(delete(CertificateRow).where(CertificateRow.expires <= now))
            session.add(CertificateRow(serial=serial, ods=ods, expires=expires))
            _note(session, ods, now, "certificate", f"A certificate until {expires} was issued.")

    def renewed(self, ods: str, tls_key_sha256: str, pem: str, serial: str, expires: int, now: int) -> bool:
        """Make a renewed certificate the node's newest; False when it is no longer an approved node with this key."""
        with self._transaction() as session:
            row = session.get(NodeRow, ods, with_for_update=True)
            if row is None or row.status != "approved" or row.tls_key_sha256 != tls_key_sha256:
                return False
            row.certificate_pem, row.serial = pem, serial
            session.execute(delete(CertificateRow).where(CertificateRow.expires <= now))
            session.add(CertificateRow(serial=serial, ods=ods, expires=expires))
            _note(session, ods, now, "renewed", f"Its certificate was renewed until {expires}.")
            return True

    def serials(self, ods: str, now: int) -> frozenset[str]:
        """Serials that a node may present now."""
        with self._transaction() as session:
            chosen = select(CertificateRow.serial).where(CertificateRow.ods == ods, CertificateRow.expires > now)
            return frozenset(session.scalars(chosen))

    def certificates(self, ods: str) -> list[tuple[str, int]]:
        """Serial number and end, seconds since 1970, of each certificate of a node that is kept; oldest first."""
        with self._transaction() as session:
            chosen = select(CertificateRow.serial, CertificateRow.expires).where(CertificateRow.ods == ods)
            return [(serial, ends) for serial, ends in session.execute(chosen.order_by(CertificateRow.expires))]

    def adopt(self) -> None:
        """Take over the one certificate of each approved node from a database of before there were several."""
        with self._transaction() as session:
            known = select(CertificateRow.ods)
            for row in session.scalars(select(NodeRow).where(NodeRow.status == "approved", NodeRow.ods.not_in(known))):
                try:
                    found = x509.load_pem_x509_certificate(row.certificate_pem.encode())
                except ValueError:
                    continue
                ends = int(found.not_valid_after_utc.timestamp())
                session.add(CertificateRow(serial=f"{found.serial_number:x}", ods=row.ods, expires=ends))

    def live_serials(self, now: int) -> frozenset[tuple[str, str]]:
        """Every node with each serial that it may present now."""
        with self._transaction() as session:
            chosen = select(CertificateRow.ods, CertificateRow.serial).where(CertificateRow.expires > now)
            return frozenset((ods, serial) for ods, serial in session.execute(chosen))

    # -- joins ---------------------------------------------------------------------------------------------------

    def join(self, ods: str, counter: int, now: int) -> str:
        """Count one proved join; returns the hash of the incident where two copies are about, else "".

        The caller has verified that the node proved this counter for this very session: a counter that does not grow
        then comes from a second copy, not from a message that was late.
        """
        with self._transaction() as session:
            row = session.get(JoinRow, ods, with_for_update=True)
            if row is None:
                session.add(JoinRow(ods=ods, counter=counter))
                return ""
            if row.incident:
                return row.incident
            if counter > row.counter:
                row.counter = counter
                return ""
            told = {"ods": ods, "last": row.counter, "came": counter, "at": now}
            row.incident = hashlib.sha256(canonical.encode(told)).hexdigest()
            _note(
                session, ods, now, "clone-suspected",
                f"It joined with counter {counter} after {row.counter}: a second copy of it is about. It is cut off.",
            )  # fmt: skip
            return row.incident

    def incident(self, ods: str) -> str:
        """Hash of the open suspicion that a node was cloned; "" where there is none."""
        with self._transaction() as session:
            row = session.get(JoinRow, ods)
            return row.incident if row is not None else ""

    def incidents(self) -> dict[str, str]:
        """Every open suspicion, by ODS code."""
        with self._transaction() as session:
            return {row.ods: row.incident for row in session.scalars(select(JoinRow).where(JoinRow.incident != ""))}

    def resolve(self, ods: str, incident: str, now: int) -> bool:
        """Close a suspicion; False when it is not the open one. The counter stays: it never goes back."""
        with self._transaction() as session:
            row = session.get(JoinRow, ods, with_for_update=True)
            if row is None or not incident or row.incident != incident:
                return False
            row.incident = ""
            _note(session, ods, now, "resolved", "Two people resolved the suspicion of a clone; it may join again.")
            return True

    # -- what happened -------------------------------------------------------------------------------------------

    def note(self, ods: str, at: int, action: str, text: str) -> None:
        """Keep one event."""
        with self._transaction() as session:
            _note(session, ods, at, action, text)

    def events(self, ods: str) -> list[NodeEventRow]:
        """Everything that happened to a node, oldest first."""
        with self._transaction() as session:
            return list(session.scalars(select(NodeEventRow).where(NodeEventRow.ods == ods).order_by(NodeEventRow.seq)))


def _note(session: Session, ods: str, at: int, action: str, text: str) -> None:
    session.add(NodeEventRow(ods=ods, at=at, action=action, text=text))

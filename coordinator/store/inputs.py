"""Inputs: codelists and look-ups, their versions, their content, and the record of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from sqlalchemy import select
from sqlalchemy.orm import Session

from coordinator.store.models import InputContentRow, InputEventRow, InputRow
from coordinator.store.recording import recorded

__all__ = ["InputChange", "Inputs"]


class InputChange:
    """One change to the versions of one name, as it is being made; rows may be changed in place.

    Attributes:
        now: when it happens, seconds since 1970 UTC.
    """

    def __init__(self, session: Session, name: str, now: int) -> None:
        self.now = now
        self._session = session
        self._name = name
        self.noted = 0

    def versions(self) -> list[InputRow]:
        """Every version of the name, oldest first."""
        chosen = select(InputRow).where(InputRow.name == self._name).order_by(InputRow.version)
        return list(self._session.scalars(chosen.with_for_update()))

    def add(self, row: InputRow, document: bytes) -> None:
        """Keep a new version and its content."""
        self._session.add(row)
        self._session.merge(InputContentRow(sha256=row.sha256, document=document))

    def forget(self, row: InputRow) -> None:
        """Delete a version's content; the row and its hash stay."""
        found = self._session.get(InputContentRow, row.sha256)
        if found is not None:
            self._session.delete(found)

    def note(self, row: InputRow, action: str, actor: str, text: str, envelope: bytes = b"") -> None:
        """Write an event into the record."""
        self.noted += 1
        self._session.add(
            InputEventRow(
                name=row.name,
                version=row.version,
                at=self.now,
                action=action,
                actor=actor,
                text=text,
                envelope=envelope,
            )
        )


class Inputs:
    """What the coordinator knows of inputs."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def change(self, name: str, now: int) -> AbstractContextManager[InputChange]:
        """Change the versions of one name: everything in the ``with`` happens, with its event, or nothing does.

        Raises:
            TrustQueryError: ``internal-fault``: the change wrote no event.
        """
        return recorded(self._transaction, lambda session: InputChange(session, name, now))

    def everyone(self) -> list[InputRow]:
        """All inputs, by name and version."""
        with self._transaction() as session:
            return list(session.scalars(select(InputRow).order_by(InputRow.name, InputRow.version)))

    def get(self, name: str, version: int) -> InputRow | None:
        """One version."""
        with self._transaction() as session:
            return session.get(InputRow, (name, version))

    def with_hashes(self, hashes: Iterable[str]) -> list[tuple[InputRow, bytes]]:
        """The inputs with these hashes, and their content."""
        with self._transaction() as session:
            chosen = select(InputRow, InputContentRow.document).join(
                InputContentRow, InputContentRow.sha256 == InputRow.sha256
            )
            found = session.execute(chosen.where(InputRow.sha256.in_(list(hashes))))
            return [(row, document) for row, document in found]

    def withdrawals(self) -> dict[tuple[str, int], bytes]:
        """The signed decisions that ended approved inputs, by name and version, oldest first."""
        with self._transaction() as session:
            chosen = select(InputEventRow.name, InputEventRow.version, InputEventRow.envelope)
            chosen = chosen.where(InputEventRow.action == "withdraw", InputEventRow.envelope != b"")
            found = session.execute(chosen.order_by(InputEventRow.seq))
            return {(name, version): bytes(envelope) for name, version, envelope in found}

    def content(self, sha256: str) -> bytes | None:
        """Canonical bytes of an input; None where they were deleted."""
        with self._transaction() as session:
            found = session.get(InputContentRow, sha256)
            return found.document if found is not None else None

    def events(self, name: str) -> list[InputEventRow]:
        """The record of a name, oldest first."""
        with self._transaction() as session:
            chosen = select(InputEventRow).where(InputEventRow.name == name).order_by(InputEventRow.seq)
            return list(session.scalars(chosen))

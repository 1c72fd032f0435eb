"""What replicas of the coordinator tell each other of the fleet, and the rates that they count together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from coordinator.store.fleet_models import MailRow, NodeLinkRow, RateRow, ReplicaRow

__all__ = ["ALIVE_MS", "Mail", "SharedFleet"]

ALIVE_MS = 5_000
"""A replica that has not been seen for so long has ended, or is cut off: its nodes are away."""
_FORGET_MS = 3_600_000
_MAIL_MS = 60_000
_MOST_MAIL = 1_000


@dataclass(frozen=True)
class Mail:
    """A message from another replica, for or from a node."""

    sender: str
    node: str
    message: bytes


class SharedFleet:
    """The durable half of ``coordinator.fleet`` where there are several replicas."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def beat(self, replica: str, name: str) -> bool:
        """This replica is alive; those of an hour ago are forgotten, and what they left behind with them.

        Returns:
            Whether it was known before.
        """
        with self._transaction() as session:
            now = _now(session)
            known = session.get(ReplicaRow, replica) is not None
            session.merge(ReplicaRow(id=replica, name=name, seen=now))
            session.execute(delete(ReplicaRow).where(ReplicaRow.seen < now - _FORGET_MS))
            session.execute(delete(NodeLinkRow).where(NodeLinkRow.replica.not_in(select(ReplicaRow.id))))
            session.execute(delete(MailRow).where(MailRow.at < now - _MAIL_MS))
            session.execute(delete(RateRow).where(RateRow.at < now - _FORGET_MS))
            return known

    def leave(self, replica: str) -> None:
        """This replica ends."""
        with self._transaction() as session:
            session.execute(delete(NodeLinkRow).where(NodeLinkRow.replica == replica))
            session.execute(delete(ReplicaRow).where(ReplicaRow.id == replica))

    def replicas(self) -> dict[str, str]:
        """Names of the replicas that are alive, by id."""
        with self._transaction() as session:
            alive = select(ReplicaRow).where(ReplicaRow.seen >= _now(session) - ALIVE_MS).order_by(ReplicaRow.name)
            return {row.id: row.name for row in session.scalars(alive)}

    def attach(self, node: str, replica: str) -> None:
        """A node's stream is at this replica now."""
        with self._transaction() as session:
            session.merge(NodeLinkRow(node=node, replica=replica, since=_now(session)))

    def detach(self, node: str, replica: str) -> None:
        """It has ended, unless it is at another replica already."""
        with self._transaction() as session:
            session.execute(delete(NodeLinkRow).where(NodeLinkRow.node == node, NodeLinkRow.replica == replica))

    def links(self) -> Mapping[str, str]:
        """Which live replica holds each connected node's stream."""
        with self._transaction() as session:
            alive = select(ReplicaRow.id).where(ReplicaRow.seen >= _now(session) - ALIVE_MS)
            chosen = select(NodeLinkRow.node, NodeLinkRow.replica).where(NodeLinkRow.replica.in_(alive))
            return {row.node: row.replica for row in session.execute(chosen)}

    # -- mail ----------------------------------------------------------------------------------------------------

    def post(self, to: str, sender: str, node: str, message: bytes) -> None:
        """Put a message where another replica finds it."""
        with self._transaction() as session:
            session.add(MailRow(to=to, sender=sender, node=node, message=message, at=_now(session)))

    def fetch(self, to: str) -> list[Mail]:
        """What there is for a replica, oldest first; it is handed out once."""
        with self._transaction() as session:
            chosen = select(MailRow).where(MailRow.to == to).order_by(MailRow.seq).limit(_MOST_MAIL)
            found = list(session.scalars(chosen))
            if found:
                session.execute(delete(MailRow).where(MailRow.seq.in_([row.seq for row in found])))
            return [Mail(row.sender, row.node, row.message) for row in found]

    # -- rates ---------------------------------------------------------------------------------------------------

    def take(self, key_hash: str, burst: int, per_minute: float) -> bool:
        """Count one request of somebody, whatever replica it came to; False for one too many."""
        with self._transaction() as session:
            now = _now(session)
            row = session.get(RateRow, key_hash)
            if row is None:
                row = RateRow(key_hash=key_hash, left=burst * 1_000, at=now)
                session.add(row)
            left = min(burst * 1_000, row.left + int(max(now - row.at, 0) * per_minute / 60))
            granted = left >= 1_000
            if granted:
                row.left, row.at = left - 1_000, now
            return granted


def _now(session: Session) -> int:
    """Milliseconds since 1970 by the database's clock."""
    if session.get_bind().dialect.name == "sqlite":
        return int(session.scalar(text("SELECT unixepoch('subsec') * 1000")) or 0)
    found = session.scalar(select(func.extract("epoch", func.clock_timestamp()) * 1000))
    return int(found or 0)

"""The tables that replicas of the coordinator share the fleet by. Nothing here outlives a day.

Times are milliseconds of the database's own clock, which all replicas read alike.
"""

from __future__ import annotations

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from coordinator.store.models import Base

__all__ = ["MailRow", "NodeLinkRow", "RateRow", "ReplicaRow"]


class ReplicaRow(Base):
    """A running coordinator process; one that has not been seen for a while has ended."""

    __tablename__ = "replicas"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    seen: Mapped[int]


class NodeLinkRow(Base):
    """Which replica holds a node's stream: the one to which it came last."""

    __tablename__ = "node_links"
    node: Mapped[str] = mapped_column(String(64), primary_key=True)
    replica: Mapped[str] = mapped_column(String(32))
    since: Mapped[int]


class MailRow(Base):
    """A message between a replica and a node whose stream another replica holds, as on the wire; gone once it is read.

    Attributes:
        to: the replica that reads it; ``sender`` the one that wrote it.
        node: for whom it is, or whose reply it holds.
    """

    __tablename__ = "fleet_mail"
    seq: Mapped[int] = mapped_column(primary_key=True)
    to: Mapped[str] = mapped_column(String(32), index=True)
    sender: Mapped[str] = mapped_column(String(32))
    node: Mapped[str] = mapped_column(String(64))
    message: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[int]


class RateRow(Base):
    """How much of a rate somebody has left, by the hash of who they are.

    Attributes:
        left: thousandths of a request, at ``at``.
    """

    __tablename__ = "rates"
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    left: Mapped[int]
    at: Mapped[int]

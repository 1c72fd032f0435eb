"""The tables of the coordinator as a witness: heads it cosigned, heads that do not go together, nodes that froze."""

from __future__ import annotations

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from coordinator.store.models import Base

__all__ = ["AnswerHeadRow", "FrozenNodeRow", "WitnessForkRow", "WitnessHeadRow"]


class WitnessHeadRow(Base):
    """The newest head of one log that was cosigned. A log is a name and a key."""

    __tablename__ = "witness_heads"
    origin: Mapped[str] = mapped_column(String(200), primary_key=True)
    log_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    note: Mapped[bytes] = mapped_column(LargeBinary)


class WitnessForkRow(Base):
    """Two heads of one log, signed by it, that do not go together; ``id`` is the hash of both."""

    __tablename__ = "witness_forks"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    origin: Mapped[str] = mapped_column(String(200), index=True)
    ours: Mapped[bytes] = mapped_column(LargeBinary)
    theirs: Mapped[bytes] = mapped_column(LargeBinary)


class AnswerHeadRow(Base):
    """The ledger head, with its witnesses' cosignatures, that came beside a node's answer."""

    __tablename__ = "answer_heads"
    release_id: Mapped[str] = mapped_column(ForeignKey("queries.release_id"), primary_key=True)
    node: Mapped[str] = mapped_column(String(64), primary_key=True)
    note: Mapped[bytes] = mapped_column(LargeBinary)


class FrozenNodeRow(Base):
    """A node that says of its own ledger that witnesses have cosigned another life of it; since when it says so."""

    __tablename__ = "frozen_nodes"
    node: Mapped[str] = mapped_column(String(64), primary_key=True)
    since: Mapped[int]

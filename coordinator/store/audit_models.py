"""Tables of the coordinator's log. Entries are only ever added; what commitments hide lies apart, and can be erased."""

from __future__ import annotations

from sqlalchemy import LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from coordinator.store.models import Base

__all__ = ["AuditCheckpointRow", "AuditEntryRow", "AuditHeadRow", "AuditPolicyRow", "AuditSecretRow", "TallyRow"]


class AuditEntryRow(Base):
    """One entry: its canonical bytes and their leaf hash."""

    __tablename__ = "audit_entries"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    leaf_hash: Mapped[bytes] = mapped_column(LargeBinary)


class AuditHeadRow(Base):
    """How many entries there are. Whoever adds one holds this row, so that numbers have no gap and no double.

    Attributes:
        id: 1; there is one row.
        on: the last entry's day: a clock that went back does not put entries out of order.
    """

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int]
    on: Mapped[str] = mapped_column(String(10))


class AuditSecretRow(Base):
    """What the commitments of one entry hide, and the salt that opens them. Erased on request; the entry stays."""

    __tablename__ = "audit_secrets"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    person: Mapped[str] = mapped_column(String(200), index=True)
    words: Mapped[str] = mapped_column(Text)


class AuditPolicyRow(Base):
    """The policy that a trust's node last showed, by hash."""

    __tablename__ = "audit_policies"
    node: Mapped[str] = mapped_column(String(64), primary_key=True)
    policy_hash: Mapped[str] = mapped_column(String(64))


class TallyRow(Base):
    """Refusals, or failed sign-ins, that are counted for one hour and become one entry when it is over.

    Attributes:
        key_hash: of kind, hour and what is counted together: a typed name is kept in no other way.
        kind: of the entry.
        hour: hours since 1970 UTC.
        person: whose they are, "(nobody)" where no account has the name.
        words: what was refused, or the way of signing in.
    """

    __tablename__ = "audit_tallies"
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    hour: Mapped[int] = mapped_column(index=True)
    person: Mapped[str] = mapped_column(String(64))
    words: Mapped[str] = mapped_column(String(600))
    count: Mapped[int]


class AuditCheckpointRow(Base):
    """A head that was shown, with the lines of its witnesses as they came."""

    __tablename__ = "audit_checkpoints"
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    note: Mapped[bytes] = mapped_column(LargeBinary)

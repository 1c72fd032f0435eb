"""The tables. Rows leave the store as these objects, detached: plain data with no database behind them.

Secrets of others (session tokens, enrolment codes) are kept as SHA-256 only. Times are whole seconds since 1970 UTC.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "AccountRow",
    "AdmissionRow",
    "AnswerRow",
    "ApplicationRow",
    "Base",
    "CertificateRow",
    "Challenge",
    "CriteriaRow",
    "DecisionRow",
    "DeputyRow",
    "DocumentRow",
    "ErasureRow",
    "GrantRow",
    "InputContentRow",
    "InputEventRow",
    "InputRow",
    "Invitation",
    "InviterRow",
    "JoinRow",
    "LoginSession",
    "NodeEventRow",
    "NodeRow",
    "PermitRow",
    "ProjectEventRow",
    "ProjectRow",
    "PublicTableRow",
    "QueryParameters",
    "QueryRow",
    "ReleaseEventRow",
    "ReviewRow",
    "ReviewVerdictRow",
    "StanceRow",
    "User",
]


class Base(DeclarativeBase):
    """Base of every table. Whole numbers are 64 bits wide: nano-rho and times outgrow 32."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {int: BigInteger().with_variant(Integer(), "sqlite")}


class User(Base):
    """A person who may sign in. A disabled one keeps their history."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    public_key: Mapped[str] = mapped_column(String(64), unique=True)
    disabled: Mapped[bool] = mapped_column(default=False)
    created: Mapped[int]


class AccountRow(Base):
    """Whose account a user is. Roles belong to the person; keys and organisations belong to the account.

    Attributes:
        organisation: as permits write it; "" where nobody has recorded one.
    """

    __tablename__ = "accounts"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    person: Mapped[str] = mapped_column(String(64), index=True)
    organisation: Mapped[str] = mapped_column(String(200), default="")


class GrantRow(Base):
    """A role that a person was given; ``role`` and ``over`` as in ``trustquery.access.Held``."""

    __tablename__ = "grants"
    person: Mapped[str] = mapped_column(String(64), primary_key=True)
    role: Mapped[str] = mapped_column(String(32), primary_key=True)
    over: Mapped[str] = mapped_column(String(64), primary_key=True)
    granted: Mapped[int]


class DeputyRow(Base):
    """``deputy`` stands in for ``principal``."""

    __tablename__ = "deputies"
    deputy: Mapped[str] = mapped_column(String(64), primary_key=True)
    principal: Mapped[str] = mapped_column(String(64), primary_key=True)


class LoginSession(Base):
    """A sign-in; the token itself is only with its owner."""

    __tablename__ = "sessions"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    expires: Mapped[int]


class Challenge(Base):
    """A sign-in challenge, for whatever name was typed; used once."""

    __tablename__ = "challenges"
    nonce: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_name: Mapped[str] = mapped_column(String(64))
    expires: Mapped[int]


class ProjectRow(Base):
    """A project and the permit envelope in use. ``state`` is one of ``trustquery.projects.life.ProjectState``."""

    __tablename__ = "projects"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int]
    permit: Mapped[bytes] = mapped_column(LargeBinary)
    permit_hash: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    added: Mapped[int]


class ApplicationRow(Base):
    """One version of a project's application; ``state`` is one of ``trustquery.projects.life.ApplicationState``.

    Attributes:
        applicant: the person who started it.
        answers: the draft as it grows, JSON; what was signed stands in ``envelope``.
        sha256: hash of the signed application, "" for a draft.
    """

    __tablename__ = "applications"
    project: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    applicant: Mapped[str] = mapped_column(String(64))
    answers: Mapped[str] = mapped_column(Text)
    envelope: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    sha256: Mapped[str] = mapped_column(String(64), default="", index=True)
    updated: Mapped[int]


class PermitRow(Base):
    """A permit of a project, from its first signature on.

    ``state``: ``signing`` until all have signed, ``approved`` until it is used, ``in-use``, then ``replaced`` by a
    later one; ``dropped`` before all had signed, ``revoked`` by a suspension before it was used.
    """

    __tablename__ = "permits"
    project: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    permit_hash: Mapped[str] = mapped_column(String(64), index=True)
    application: Mapped[str] = mapped_column(String(64))
    envelope: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(16))
    updated: Mapped[int]


class DecisionRow(Base):
    """A signed document about a project beside its application and permits: a decision or a close-down report."""

    __tablename__ = "decisions"
    seq: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(String(64), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    about: Mapped[str] = mapped_column(String(64))
    envelope: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[int]


class StanceRow(Base):
    """What one trust last said of one permit; ``word`` as in ``trustquery.projects.decisions.Stance``."""

    __tablename__ = "stances"
    project: Mapped[str] = mapped_column(String(64), primary_key=True)
    node: Mapped[str] = mapped_column(String(64), primary_key=True)
    permit_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    word: Mapped[str] = mapped_column(String(32))
    envelope: Mapped[bytes] = mapped_column(LargeBinary)
    said: Mapped[int]


class ProjectEventRow(Base):
    """One thing that happened to a project, in words for people; never changed, never removed.

    Attributes:
        actor: who, in words that may be published: a role, a trust's name, or the person's name as on the permit.
        public: whether anybody may read it; what happens to a draft concerns its team.
    """

    __tablename__ = "project_events"
    seq: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[int]
    action: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    public: Mapped[bool]


class NodeRow(Base):
    """A node. ``status``: pending, approved or revoked. ``words``: what both sides compare by telephone."""

    __tablename__ = "nodes"
    ods: Mapped[str] = mapped_column(String(8), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    identity_key: Mapped[str] = mapped_column(String(64))
    request_pem: Mapped[str] = mapped_column(Text)
    tls_key_sha256: Mapped[str] = mapped_column(String(64))
    certificate_pem: Mapped[str] = mapped_column(Text, default="")
    serial: Mapped[str] = mapped_column(String(40), default="")
    status: Mapped[str] = mapped_column(String(16))
    words: Mapped[str] = mapped_column(String(200))
    code_hash: Mapped[str] = mapped_column(String(64), default="")
    enrolled: Mapped[int]
    last_seen: Mapped[int] = mapped_column(default=0)

    @property
    def node(self) -> str:
        """The node's name in documents: its ODS code."""
        return self.ods


class Invitation(Base):
    """An enrolment code, by its hash; used at most once."""

    __tablename__ = "invitations"
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    ods: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(200))
    expires: Mapped[int]
    used: Mapped[int] = mapped_column(default=0)


class InviterRow(Base):
    """Who made an enrolment code, where they said so: an invitation's second half."""

    __tablename__ = "inviters"
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[str] = mapped_column(String(64))


class AdmissionRow(Base):
    """One person's signed yes to one enrolment, or to going on after a clone was suspected."""

    __tablename__ = "admissions"
    about: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[str] = mapped_column(String(64), primary_key=True)
    ods: Mapped[str] = mapped_column(String(8), index=True)
    envelope: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[int]


class CertificateRow(Base):
    """A certificate that a node may present: the newest, and earlier ones of the same key until they end."""

    __tablename__ = "node_certificates"
    serial: Mapped[str] = mapped_column(String(40), primary_key=True)
    ods: Mapped[str] = mapped_column(String(8), index=True)
    expires: Mapped[int]


class JoinRow(Base):
    """How often a node has joined, as it last proved. ``incident``: hash of a suspicion, "" where there is none."""

    __tablename__ = "node_joins"
    ods: Mapped[str] = mapped_column(String(8), primary_key=True)
    counter: Mapped[int]
    incident: Mapped[str] = mapped_column(String(64), default="")


class NodeEventRow(Base):
    """One thing that happened to a node's membership, in words for people; never changed, never removed."""

    __tablename__ = "node_events"
    seq: Mapped[int] = mapped_column(primary_key=True)
    ods: Mapped[str] = mapped_column(String(8), index=True)
    at: Mapped[int]
    action: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(Text)


class DocumentRow(Base):
    """A signed document that the root holders issued; versions only go up."""

    __tablename__ = "documents"
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    envelope: Mapped[bytes] = mapped_column(LargeBinary)
    installed: Mapped[int]


class QueryRow(Base):
    """One query's life; ``state`` is one of ``coordinator.queries.machine.State``."""

    __tablename__ = "queries"
    release_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    project: Mapped[str] = mapped_column(ForeignKey("projects.name"))
    dataset: Mapped[str] = mapped_column(String(64))
    sql: Mapped[str] = mapped_column(Text)
    query_hash: Mapped[str] = mapped_column(String(64))
    plan_hash: Mapped[str] = mapped_column(String(64))
    vector_length: Mapped[int]
    intent: Mapped[bytes] = mapped_column(LargeBinary)
    permit: Mapped[bytes] = mapped_column(LargeBinary)
    model: Mapped[bytes] = mapped_column(LargeBinary)
    nodes: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    created: Mapped[int]
    closes_at: Mapped[int]
    closed: Mapped[int] = mapped_column(default=0)
    result: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)

    __table_args__ = (
        Index("queries_by_state", "state", "closes_at"),
        Index("queries_by_user", "user_id", "created"),
        Index("queries_by_hash", "query_hash", "state", "closed"),
        Index("queries_by_length", "vector_length"),
        # What the public pages through: the state stands in them, so that skipped rows are not read.
        Index("queries_by_end", "closed", "release_id", "state"),
        Index("queries_by_project", "project", "closed", "release_id", "state"),
    )

    @property
    def named(self) -> tuple[str, ...]:
        """Names of the nodes that the intent names, sorted."""
        return tuple(self.nodes.split(" "))


class QueryParameters(Base):
    """The values given for the ``$names`` of a query's text, as JSON; no row where there are none."""

    __tablename__ = "query_parameters"
    release_id: Mapped[str] = mapped_column(ForeignKey("queries.release_id"), primary_key=True)
    parameters: Mapped[str] = mapped_column(Text)


class PublicTableRow(Base):
    """A public table that a query pins, canonical bytes under their hash: kept once for all queries."""

    __tablename__ = "public_tables"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[bytes] = mapped_column(LargeBinary)


class InputRow(Base):
    """One version of a codelist or look-up; ``state`` is one of ``trustquery.projects.inputs.InputState``.

    Attributes:
        sha256: of the table's canonical bytes, which hold name and version: what models pin.
        content: of the same without the version: the same content is the same version.
        system: what its codes were checked as; ``column`` holds them.
        project: for which it was uploaded; ``uploader`` the person, ``uploader_key`` the key of their account.
        approval: the decision in force, an envelope; b"" before there is one.
    """

    __tablename__ = "inputs"
    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    content: Mapped[str] = mapped_column(String(64))
    system: Mapped[str] = mapped_column(String(16))
    column: Mapped[str] = mapped_column(String(63))
    rows: Mapped[int]
    project: Mapped[str] = mapped_column(String(64))
    uploader: Mapped[str] = mapped_column(String(64))
    uploader_key: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    approval: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    updated: Mapped[int]


class InputContentRow(Base):
    """The canonical bytes of an input; deleted with a refusal: what should not have come is not kept."""

    __tablename__ = "input_contents"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[bytes] = mapped_column(LargeBinary)


class InputEventRow(Base):
    """One thing that happened to an input, in words for people; never changed, never removed.

    Attributes:
        actor: the person, "" for nobody in particular.
        envelope: the signed decision, b"" where nothing was signed.
    """

    __tablename__ = "input_events"
    seq: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(63), index=True)
    version: Mapped[int]
    at: Mapped[int]
    action: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    envelope: Mapped[bytes] = mapped_column(LargeBinary, default=b"")


class AnswerRow(Base):
    """What one node said of one query. A late one is kept and never merged."""

    __tablename__ = "answers"
    release_id: Mapped[str] = mapped_column(ForeignKey("queries.release_id"), primary_key=True)
    node: Mapped[str] = mapped_column(String(64), primary_key=True)
    envelope: Mapped[bytes] = mapped_column(LargeBinary)
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[str] = mapped_column(String(16))
    rho_nano: Mapped[int]
    late: Mapped[bool]
    received: Mapped[int]

    # What was charged is added up over all of them, without reading what they said.
    __table_args__ = (Index("answers_charged", "received", "node", "rho_nano", "release_id"),)


class ReleaseEventRow(Base):
    """That a released result was published or withdrawn; never changed, never removed.

    Attributes:
        action: publish or withdraw.
        actor: who, in words that may be published.
        reason: in words; "" for a publication.
        table: the result as JSON data, as it was published; "" for a withdrawal, and once a withdrawn one was erased.
    """

    __tablename__ = "release_events"
    seq: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("queries.release_id"), index=True)
    at: Mapped[int]
    action: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    table: Mapped[str] = mapped_column(Text)


class ErasureRow(Base):
    """That the figures of a query were erased by age: its result and every vector; never changed, never removed."""

    __tablename__ = "erasures"
    release_id: Mapped[str] = mapped_column(ForeignKey("queries.release_id"), primary_key=True)
    at: Mapped[int]


class CriteriaRow(Base):
    """The record of what a result was disclosed under, as ``trustquery.outputs.criteria`` makes it; kept for ever.

    Attributes:
        record: the record as JSON; ``sha256`` is its hash.
    """

    __tablename__ = "criteria"
    release_id: Mapped[str] = mapped_column(ForeignKey("queries.release_id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    record: Mapped[str] = mapped_column(Text)


class ReviewRow(Base):
    """That two output checkers look at a query's merged table; written with the query, before any trust is asked.

    Attributes:
        why: ``federation``, ``application`` or ``question``: what asks for it.
        deadline: when its outcome is told, never sooner.
        held: the merged result while it is in review, where no other row has it; b"" before and after.
        outcome: approved or returned; "" before the deadline.
        reasons: codes of ``trustquery.reviews.Reason`` with blanks between.
        table_sha256: of the table that they were shown; "" before the deadline, and where it cannot be made.
    """

    __tablename__ = "reviews"
    release_id: Mapped[str] = mapped_column(ForeignKey("queries.release_id"), primary_key=True)
    why: Mapped[str] = mapped_column(String(16))
    deadline: Mapped[int] = mapped_column(index=True)
    held: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    outcome: Mapped[str] = mapped_column(String(16), default="")
    reasons: Mapped[str] = mapped_column(Text, default="")
    table_sha256: Mapped[str] = mapped_column(String(64), default="")


class ReviewVerdictRow(Base):
    """A signed verdict on a merged table, as it was handed in; never changed, never removed.

    Attributes:
        person: who is signed in; ``key`` of the account in use, which signed, hexadecimal.
        envelope: a ``trustquery.reviews.Review``.
    """

    __tablename__ = "review_verdicts"
    seq: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("reviews.release_id"), index=True)
    person: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(64))
    envelope: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[int]

"""What is written makes its entry in the log, in the same transaction: the table of which row says what.

A row that somebody adds, changes or deletes is looked up here as it goes to the database, so that no code path can
record a thing and leave its entry out. A kind of row that this table does not know stops the transaction, and so does
an entry that cannot be written. Statements in bulk pass it by: they are for what is silent and for what runs out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from coordinator.store import audit_models, fleet_models, identity_models, models
from coordinator.store.audit_models import AuditPolicyRow, TallyRow
from coordinator.store.identity_models import IdentityRow, LocalAccountRow
from coordinator.store.models import (
    AccountRow,
    AnswerRow,
    DeputyRow,
    DocumentRow,
    ErasureRow,
    GrantRow,
    InputEventRow,
    InputRow,
    Invitation,
    LoginSession,
    NodeEventRow,
    NodeRow,
    ProjectEventRow,
    QueryRow,
    ReviewVerdictRow,
    User,
)
from coordinator.store.witness_models import AnswerHeadRow, FrozenNodeRow, WitnessForkRow, WitnessHeadRow
from trustquery.errors import TrustQueryError

__all__ = ["DENIALS", "FREE_DENIALS", "SILENT", "TABLE", "Fact", "facts_of"]

DENIALS = "query.deny-more"
FREE_DENIALS = 20
"""Refused questions of one person within an hour that have an entry each."""


@dataclass(frozen=True)
class Fact:
    """What an entry is made from.

    Attributes:
        person, words: hidden behind commitments.
    """

    kind: str
    person: str = ""
    words: str = ""
    project: str = ""
    node: str = ""
    release_id: str = ""
    document_hash: str = ""
    rho_nano: int = 0


@dataclass(frozen=True)
class Write:
    """One row on its way to the database.

    Attributes:
        what: new, changed or gone.
    """

    session: Session
    row: Any
    what: str

    def changed(self, *names: str) -> bool:
        """Whether one of these columns gets another value."""
        state = inspect(self.row)
        for name in names:
            history = state.attrs[name].history
            if history.has_changes() and history.added != history.deleted:
                return True
        return False

    def person_of(self, user_id: int) -> str:
        """Whose account it is."""
        account = self.session.get(AccountRow, user_id)
        return account.person if account is not None else ""


def _session(write: Write) -> Fact | None:
    kind = {"new": "session.open", "gone": "session.close"}.get(write.what)
    return Fact(kind, person=write.person_of(write.row.user_id)) if kind else None


def _user(write: Write) -> Fact | None:
    if write.what == "new":
        # The roles of a new account are part of its making.
        write.session.info["audit-new-account"] = True
        return Fact("account.add", person=write.row.name)
    done = write.what == "changed" and write.changed("disabled") and write.row.disabled
    return Fact("account.disable", person=write.row.name) if done else None


def _account(write: Write) -> Fact | None:
    moved = write.what == "changed" and write.changed("organisation", "person")
    return Fact("account.move", person=write.row.person, words=write.row.organisation) if moved else None


def _grant(write: Write) -> Fact | None:
    kind = {"new": "role.give", "gone": "role.take"}.get(write.what)
    if kind is None or write.session.info.get("audit-new-account"):
        return None
    return Fact(kind, person=write.row.person, words=f"{write.row.role} {write.row.over}".strip())


def _deputy(write: Write) -> Fact | None:
    kind = {"new": "deputy.name", "gone": "deputy.end"}.get(write.what)
    return Fact(kind, person=write.row.principal, words=write.row.deputy) if kind else None


def _identity(write: Write) -> Fact | None:
    if write.what == "new" and any(isinstance(row, LocalAccountRow) for row in write.session.new):
        return None  # The local provider's own link: part of setting the account up.
    kind = {"new": "account.link", "gone": "account.unlink"}.get(write.what)
    return Fact(kind, person=write.person_of(write.row.user_id), words=write.row.issuer) if kind else None


def _local_account(write: Write) -> Fact | None:
    if write.what == "changed" and not write.changed("password", "setup_hash"):
        return None
    return Fact("account.secrets", person=write.person_of(write.row.user_id))


def _invitation(write: Write) -> Fact | None:
    return Fact("node.invite", node=write.row.ods) if write.what == "new" else None


def _node(write: Write) -> Fact | None:
    if write.what == "new":
        return Fact("node.ask", node=write.row.ods)
    if write.what == "changed" and write.changed("status"):
        return Fact({"approved": "node.admit", "revoked": "node.revoke"}[write.row.status], node=write.row.ods)
    return None


_NODE_EVENTS = {
    "approved": "node.approve",
    "renewed": "node.renew",
    "clone-suspected": "node.suspect",
    "resolved": "node.resolve",
    # Said by the row that the event is about.
    "invited": "",
    "asked": "",
    "certificate": "",
    "revoked": "",
}


def _node_event(write: Write) -> Fact | None:
    kind = _NODE_EVENTS[write.row.action] if write.what == "new" else ""
    return Fact(kind, node=write.row.ods, words=write.row.text) if kind else None


def _document(write: Write) -> Fact | None:
    if write.what != "new":
        return None
    return Fact("document.install", document_hash=write.row.sha256, words=write.row.kind)


def _project_event(write: Write) -> Fact | None:
    row = write.row
    if write.what != "new" or row.action == "review":
        return None  # The end of a review is the end of its question, which says so.
    if row.public:
        return Fact(f"project.{row.action}", person=row.actor, words=row.text, project=row.project)
    return Fact(f"application.{row.action}", person=row.actor, words=f"{row.project}: {row.text}")


def _input_event(write: Write) -> Fact | None:
    row = write.row
    if write.what != "new":
        return None
    about = write.session.get(InputRow, (row.name, row.version))
    return Fact(
        f"input.{row.action}",
        person=row.actor,
        words=f"{row.name}@{row.version}: {row.text}",
        document_hash=about.sha256 if about is not None else "",
    )


_ENDS = {
    "closed": "query.release",
    "expired": "query.empty",
    "returned": "query.return",
    "cancelled": "query.cancel",
    # Not an end.
    "accepted": "",
    "offered": "",
    "closing": "",
    "in-review": "",
}


def _query(write: Write) -> Fact | None:
    row = write.row
    if write.what == "new":
        person = write.person_of(row.user_id)
        return Fact("query.ask", person=person, words=row.sql, project=row.project, release_id=row.release_id)
    kind = _ENDS[row.state] if write.what == "changed" and write.changed("state") else ""
    return Fact(kind, project=row.project, release_id=row.release_id) if kind else None


_ANSWERS = {
    "answer": "answer.give",
    "refused": "answer.refuse",
    "no-answer": "answer.none",
    "invalid": "answer.invalid",
}


def _answer(write: Write) -> Fact | None:
    row = write.row
    if write.what != "new":
        return None
    return Fact(_ANSWERS[row.status], node=row.node, release_id=row.release_id, rho_nano=row.rho_nano)


def _verdict(write: Write) -> Fact | None:
    row = write.row
    return Fact("review.verdict", person=row.person, release_id=row.release_id) if write.what == "new" else None


def _erasure(write: Write) -> Fact | None:
    return Fact("query.erase", release_id=write.row.release_id) if write.what == "new" else None


def _frozen(write: Write) -> Fact | None:
    kind = {"new": "node.freeze", "gone": "node.thaw"}.get(write.what)
    return Fact(kind, node=write.row.node) if kind else None


def _fork(write: Write) -> Fact | None:
    return Fact("log.fork", words=write.row.origin, document_hash=write.row.id) if write.what == "new" else None


def _policy(write: Write) -> Fact | None:
    if write.what != "new" and not write.changed("policy_hash"):
        return None
    return Fact("policy.change", node=write.row.node, document_hash=write.row.policy_hash)


def _tally(write: Write) -> Fact | None:
    row = write.row
    count = row.count - FREE_DENIALS if row.kind == DENIALS else row.count
    if write.what != "gone" or count < 1:
        return None
    times = "once" if count == 1 else f"{count} times"
    return Fact(row.kind, person=row.person, words=f"{row.words}: {times}")


TABLE: dict[type, Callable[[Write], Fact | None]] = {
    LoginSession: _session,
    User: _user,
    AccountRow: _account,
    GrantRow: _grant,
    DeputyRow: _deputy,
    IdentityRow: _identity,
    LocalAccountRow: _local_account,
    Invitation: _invitation,
    NodeRow: _node,
    NodeEventRow: _node_event,
    DocumentRow: _document,
    ProjectEventRow: _project_event,
    InputEventRow: _input_event,
    QueryRow: _query,
    AnswerRow: _answer,
    ReviewVerdictRow: _verdict,
    ErasureRow: _erasure,
    AuditPolicyRow: _policy,
    TallyRow: _tally,
    FrozenNodeRow: _frozen,
    WitnessForkRow: _fork,
}
"""Which row makes which entry; None where this write says nothing new."""

SILENT: dict[type, str] = {
    models.Challenge: "a sign-in under way: what came of it is said",
    identity_models.FlowRow: "a sign-in under way: what came of it is said",
    identity_models.SessionFactsRow: "beside its session",
    identity_models.AttemptRow: "counts wrong passwords under any name, nobody's included",
    models.ProjectRow: "its project's event says it",
    models.ApplicationRow: "its project's event says it",
    models.PermitRow: "its project's event says it",
    models.DecisionRow: "its project's event says it",
    models.StanceRow: "its project's event says it",
    models.ReleaseEventRow: "its project's event says it",
    models.InviterRow: "beside its invitation",
    models.AdmissionRow: "its node's event says it",
    models.CertificateRow: "its node's admission or renewal says it",
    models.JoinRow: "a stream was opened; a suspicion is its node's event",
    models.QueryParameters: "beside its question",
    models.PublicTableRow: "beside its question",
    models.InputRow: "its event says it",
    models.InputContentRow: "its event says it",
    models.CriteriaRow: "beside its question's result",
    models.ReviewRow: "its question's end says it",
    fleet_models.ReplicaRow: "which process runs, for a day",
    fleet_models.NodeLinkRow: "which process holds a stream, for a day",
    fleet_models.MailRow: "a message between replicas, for a moment",
    fleet_models.RateRow: "counts requests",
    AnswerHeadRow: "beside its answer",
    WitnessHeadRow: "what others' logs show, many times a minute",
    audit_models.AuditEntryRow: "the log itself",
    audit_models.AuditHeadRow: "the log itself",
    audit_models.AuditSecretRow: "the log itself",
    audit_models.AuditCheckpointRow: "the log itself",
}
"""Rows that make none, and why not."""


def facts_of(session: Session) -> Iterator[Fact]:
    """What the rows of one flush say, in the order of their making.

    Raises:
        TrustQueryError: ``internal-fault``: there is a row of a kind that is neither in the table nor silent.
    """
    rows = [(row, "new") for row in session.new]
    rows += [(row, "changed") for row in session.dirty if session.is_modified(row)]
    rows += [(row, "gone") for row in session.deleted]
    # Accounts first: their roles are part of them.
    for row, what in sorted(rows, key=lambda item: not isinstance(item[0], User)):
        made = TABLE.get(type(row))
        if made is None:
            if type(row) not in SILENT:
                raise TrustQueryError("internal-fault", incident="row-without-entry")
            continue
        fact = made(Write(session, row, what))
        if fact is not None:
            yield fact

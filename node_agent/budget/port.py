"""The ledger as the gate sees it. One real implementation: ``node_agent.budget.ledger.SqliteLedger``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from node_agent.budget.decisions import Decided
from node_agent.budget.states import State
from trustquery.log import Checkpoint

__all__ = [
    "REPEAT_SECONDS",
    "SHARED",
    "WINDOW_DAYS",
    "Ledger",
    "Limits",
    "Release",
    "Reservation",
    "ScopeLimit",
    "ScopeName",
    "Spent",
    "pack",
    "unpack",
]

ScopeName = Literal["node-wide", "dataset", "project", "analyst", "profiles"]
WINDOW_DAYS: Mapping[ScopeName, int] = {
    "node-wide": 366,
    "dataset": 366,
    "project": 366,
    "analyst": 366,
    "profiles": 90,
}
"""Length of each scope's window in whole days of UTC, the day of the charge included. 12 months are never fewer than
the calendar's; profiles have a quarter."""
SHARED: frozenset[ScopeName] = frozenset({"node-wide", "dataset", "profiles"})
"""Scopes that an identical question is never charged to again: its answer costs the trust's patients nothing more."""

REPEAT_SECONDS = 7 * 86_400
"""How long after its intent ended an unacknowledged answer is still repeated; its bytes are kept at least so long."""


@dataclass(frozen=True)
class Limits:
    """Caps of one scope in whole units: 1e-9 rho and 1e-18 delta; ``…_window`` in any ``WINDOW_DAYS`` of the scope.

    None for the window: there is no such cap.
    """

    rho_lifetime: int
    delta_lifetime: int
    rho_window: int | None = None
    delta_window: int | None = None


@dataclass(frozen=True)
class ScopeLimit:
    """One scope that a release is charged to.

    ``subject``: project or person id; for dataset and profiles the name of the dataset's budget; "" for node-wide.
    """

    scope: ScopeName
    subject: str
    limits: Limits


@dataclass(frozen=True)
class Spent:
    """What one subject has spent and not been refunded, in its scope's window and in all."""

    rho_window: int
    rho_lifetime: int
    delta_window: int
    delta_lifetime: int


@dataclass(frozen=True)
class Reservation:
    """Everything the ledger keeps of a release before it may start.

    Attributes:
        question: hash of what makes two questions identical; see ``node_agent.gate.stored``.
        planned_slot: k, fixed from the plan and declared sizes.
        not_after: when the intent ends, seconds since 1970.
        project_ends: when permit or acceptance ends, whichever is first, seconds since 1970.
        due_ms: wall-clock time of the second slot, ms since 1970; local, never in a leaf.
        stored: answered with the bytes of an earlier identical question: node-wide, dataset and profiles scopes are
            not charged, project and analyst only when they see that question for the first time.
        scopes: every scope it is charged to, with its caps: node-wide, dataset, and either project and analyst, or
            profiles.
    """

    release_id: str
    intent_hash: str
    query_hash: str
    plan_hash: str
    question: str
    project: str
    analyst: str
    data_version: int
    mode: Literal["local", "secure-sum"]
    rho_nano: int
    delta_atto: int
    policy_hash: str
    planned_slot: int
    not_after: int
    project_ends: int
    due_ms: int
    stored: bool
    scopes: tuple[ScopeLimit, ...]


@dataclass(frozen=True)
class Release:
    """One release as the ledger knows it."""

    release_id: str
    intent_hash: str
    query_hash: str
    plan_hash: str
    state: State
    project: str
    analyst: str
    data_version: int
    mode: Literal["local", "secure-sum"]
    rho_nano: int
    policy_hash: str
    planned_slot: int
    not_after: int
    project_ends: int
    due_ms: int
    stored: bool
    reserved_seq: int

    @property
    def refunded(self) -> bool:
        """Whether the charge was given back."""
        return self.state is State.EXPIRED


class Ledger(Protocol):
    """Durable record of privacy loss. Every method that writes returns only when its effect is on disk.

    Any failure to write raises ``ledger-unwritable`` and leaves the ledger refusing everything.
    """

    @property
    def failed(self) -> bool:
        """Whether a write has failed; the process then answers nothing more."""
        ...

    def reserve(self, reservation: Reservation, now: int) -> tuple[Release, bool]:
        """Check every cap and charge, in one transaction; the flag says whether this call made the release.

        The same release id with the same intent returns what is there.

        Raises:
            TrustQueryError: ``budget-exhausted`` naming the scope, ``node-release-conflict``, ``ledger-unwritable``.
        """
        ...

    def start(self, release_id: str, now: int) -> None:
        """RESERVED → STARTED: from here the charge is never given back."""
        ...

    def commit(self, release_id: str, outbox: bytes, vector: bytes, now: int, *, held: bool = False) -> None:
        """STARTED (or RESERVED, for a stored answer) → COMMITTED with the exact bytes to send; → HELD for a review."""
        ...

    def expire(self, release_id: str, now: int) -> None:
        """RESERVED → EXPIRED, refunded: nothing was read."""
        ...

    def die(self, release_id: str, now: int) -> None:
        """STARTED → DEAD: stays charged, never runs again."""
        ...

    def withhold(self, release_id: str, now: int) -> None:
        """COMMITTED, HELD or WITNESSED → WITHHELD: stays charged, never sent."""
        ...

    def witnessed(self, release_id: str, now: int) -> None:
        """COMMITTED or HELD → WITNESSED."""
        ...

    def sent(self, release_id: str, now: int) -> None:
        """WITNESSED → SENT (DEAD and EXPIRED stay): the bytes are handed to the stream."""
        ...

    def acknowledged(self, release_id: str) -> None:
        """The coordinator holds the bytes; they need not be sent again. Unknown ids are ignored."""
        ...

    def find(self, release_id: str) -> Release | None:
        """The release, or None."""
        ...

    def outbox(self, release_id: str) -> bytes | None:
        """The exact bytes of a release, or None."""
        ...

    def put_outbox(self, release_id: str, content: bytes, now: int) -> bytes:
        """Keep the no-answer of a DEAD or EXPIRED release; returns the bytes in force, the first ever kept."""
        ...

    def has_left(self, release_id: str) -> bool:
        """Whether the release's bytes were ever handed to the stream."""
        ...

    def is_settled(self, release_id: str) -> bool:
        """Whether the coordinator has said that it holds the release's bytes, or they were erased here since."""
        ...

    def unsent(self) -> tuple[Release, ...]:
        """Releases whose bytes, an answer or a no-answer, were never handed to the stream."""
        ...

    def unacknowledged(self) -> tuple[Release, ...]:
        """Releases whose bytes were handed to the stream and not acknowledged."""
        ...

    def stored_vector(self, question: str) -> bytes | None:
        """The vector once released for an identical question, or None."""
        ...

    def erase(self, days: int, now: int, *, most: int = 20) -> tuple[str, ...]:
        """Erase the bytes and vectors of answers that are older than ``days`` days and can be sent no more.

        Nothing is refunded, and no release is answered again: hash, charge and entries stay.

        Returns:
            Ids of the releases, oldest first, at most ``most`` of them; empty when none is due.
        """
        ...

    def erased_day(self, question: str) -> int | None:
        """Last day, since 1970 UTC, on which a vector of an identical question was erased; None when none was."""
        ...

    def spent(self, scope: ScopeName, subject: str, now: int) -> Spent:
        """What a subject has spent."""
        ...

    def seen_by(self, question: str, scope: ScopeName, subject: str) -> bool:
        """Whether a project or analyst was already charged for this question."""
        ...

    def no_answers(self, analyst: str, now: int) -> int:
        """Number of the person's releases that died in the last 30 days."""
        ...

    def record(self, decided: Decided, now: int) -> None:
        """Keep the input of a decision of the policy, before anything is said of it."""
        ...

    def note_refusal(self, release_id: str, intent_hash: str, policy_hash: str, now: int) -> None:
        """Enter a refusal in the log."""
        ...

    def note_alarm(self, code: str, place: str, data: bytes, now: int, *, once: bool) -> None:
        """Enter in the log that the coordinator sent what no honest one sends.

        Args:
            code: why it was refused.
            place: which document or which part of a frame.
            data: what was refused; its hash is kept.
            once: whether the same bytes, refused for the same reason, are one event however often they come.
        """
        ...

    def note_opened(self, now: int) -> None:
        """Enter that this process begins to show its head to witnesses: a head that no other copy ever has."""
        ...

    def last_seq(self, release_id: str) -> int:
        """Number of the newest entry about a release; 0 where there is none."""
        ...

    def keep_cosigned(self, size: int, note: bytes, now: int) -> None:
        """Keep a head with the cosignatures of its quorum."""
        ...

    def cosigned_over(self, seq: int) -> bytes:
        """The smallest kept head that holds the entry with this number, with its cosignatures; b"" for none."""
        ...

    def freeze(self, ours: bytes, theirs: bytes, now: int) -> None:
        """Note for good that another life of this ledger was cosigned: both heads are the proof."""
        ...

    def frozen(self) -> tuple[bytes, bytes] | None:
        """The two heads that froze it first, ours and theirs; None where it is not frozen."""
        ...

    def see(self, kind: str, name: str, version: int, sha256: str, now: int) -> None:
        """Note the version of a signed document; a new one becomes an entry.

        Raises:
            TrustQueryError: ``policy-document-stale``: older than one already seen, or another text of that version.
        """
        ...

    def seen(self, kind: str, name: str) -> tuple[int, str] | None:
        """The newest version seen of a document and its hash, or None."""
        ...

    def time(self, now: int) -> int:
        """The budget clock: never earlier than the last entry, whatever the wall says."""
        ...

    def size(self) -> int:
        """Number of entries."""
        ...

    def head(self, origin: str, size: int) -> Checkpoint:
        """The checkpoint over the first ``size`` entries."""
        ...

    def root(self, size: int) -> bytes:
        """The root over the first ``size`` entries."""
        ...

    def proof(self, old: int, size: int) -> tuple[bytes, ...]:
        """Proof that the first ``size`` entries extend the first ``old``."""
        ...


def pack(envelope: bytes, vector: bytes) -> bytes:
    """The exact bytes of an answer as one string: 4-byte big-endian length, the envelope, the vector."""
    return len(envelope).to_bytes(4, "big") + envelope + vector


def unpack(content: bytes) -> tuple[bytes, bytes]:
    """Envelope and vector of packed bytes."""
    length = int.from_bytes(content[:4], "big")
    return content[4 : 4 + length], content[4 + length :]

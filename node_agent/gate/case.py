"""One offer on its way through the gate: what came in, and what each step found out."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from node_agent.engines.base import Engine
from node_agent.gate.revoked import Standing
from trustquery.catalogue import Catalogue
from trustquery.codelists import PublicTables
from trustquery.identity import Acceptance, Envelope, Intent, Member, Permit
from trustquery.model import Query
from trustquery.planning import Plan
from trustquery.policy import Policy, PolicyRequest
from trustquery.protocol.messages import Offer

__all__ = ["Asked", "Case", "HeldError", "KnownReleaseError", "Peer", "Project", "WithheldError"]


@dataclass(frozen=True)
class Peer:
    """The other end of the stream, as the transport proved it.

    Attributes:
        authenticated: the coordinator's certificate led to the authority pinned at enrolment, over TLS 1.3, and
            the greeting repeated this node's nonce.
        acknowledged: ids of releases that it has acknowledged since this stream was dialled; 32 bytes each.
    """

    authenticated: bool
    acknowledged: Container[bytes] = frozenset()


@dataclass(frozen=True)
class Project:
    """A permit and the trust's acceptance of it, both verified, and the member who asks.

    Attributes:
        rests_on: what the federation could revoke of it.
        revocations_age: seconds since the statement was issued by which nothing of it is revoked.
    """

    permit: Permit
    permit_hash: str
    acceptance: Acceptance
    member: Member
    rests_on: Standing
    revocations_age: int

    @property
    def ends(self) -> int:
        """When the project ends at this trust, seconds since 1970."""
        return min(self.permit.expires, self.acceptance.expires)


@dataclass(frozen=True)
class Asked:
    """What an intent or a preview asks, in the words both share."""

    key_kind: str
    opt_out_treatment: str
    disclosure_profile: str
    min_trusts: int


class KnownReleaseError(Exception):
    """The same release with the same intent is already here: what was decided stands, nothing new is said."""


class HeldError(Exception):
    """People look at the release until its deadline: another takes it from here, and nothing is said before."""


class WithheldError(Exception):
    """The last check failed: the release stays charged and nothing of it leaves."""


@dataclass
class Case:
    """State of one passage. A field without a default is filled by the step named beside it.

    Attributes:
        offer: the message, opaque bytes.
        arrived: T0, monotonic seconds.
    """

    offer: Offer
    peer: Peer
    arrived: float
    intent_envelope: Envelope = field(init=False)  # decode
    intent: Intent = field(init=False)  # decode
    intent_hash: str = ""  # decode
    asked: Asked = field(init=False)  # decode
    project: Project = field(init=False)  # verify
    engine: Engine = field(init=False)  # model
    query: Query = field(init=False)  # model
    catalogue: Catalogue = field(init=False)  # model
    inputs: PublicTables = field(init=False)  # model
    plan: Plan = field(init=False)  # plan
    policy: Policy = field(init=False)  # policy
    request: PolicyRequest = field(init=False)  # policy: what was judged
    is_profile: bool = False  # policy
    policy_hash: str = ""  # policy
    opt_out_list: str = field(init=False)  # optouts
    data_version: int = 0  # stored
    question: str = ""  # stored
    stored_vector: bytes | None = None  # stored
    planned_slot: int = 0  # reserve
    review_minutes: int = 0  # policy: 0 where nobody looks first
    review_slots: int = 0  # reserve: how many of the slots are for looking
    seated: bool = False  # reserve
    seat_since: float = 0.0  # reserve: since when the seat was planned to be free
    reserved: bool = False  # reserve
    ledger_seq: int = 0  # reserve
    started: bool = False  # start
    values: list[int] = field(default_factory=list, repr=False)  # engine, bound, noise
    drawn: list[int] = field(default_factory=list, repr=False)  # engine, noise: never written anywhere
    counts: dict[str, int] = field(default_factory=dict, repr=False)  # engine, bound, noise: where keys are unknown
    vector: bytes = field(default=b"", repr=False)  # noise
    envelope: bytes = b""  # sign
    committed: bool = False  # commit

    @property
    def release_id(self) -> str:
        """The release's id, "" before the intent was read."""
        return self.intent.release_id if self.intent_hash else ""

    @property
    def is_stored(self) -> bool:
        """Whether the answer is the stored vector of an identical question."""
        return self.stored_vector is not None

    def seat_until(self, slot_ms: int) -> float:
        """Monotonic time from which the seat is planned to be free for another release."""
        return self.ready(slot_ms) if self.reserved else self.seat_since

    def ready(self, slot_ms: int) -> float:
        """Monotonic time at which the answer is committed: slot 1, or the one from which people look at it."""
        return self.arrived + (self.planned_slot - self.review_slots) * slot_ms / 1_000

    def slot(self, number: int, slot_ms: int) -> float:
        """Monotonic time of the planned slot (1) and of the one after it (2)."""
        return self.arrived + (self.planned_slot + number - 1) * slot_ms / 1_000

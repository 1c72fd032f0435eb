"""What the gate needs from outside, as ports: clock, ledger, engine, noise, keys, documents, network.

Tests give small fakes; nothing in the gate opens a file, a socket or a clock of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from node_agent.budget.port import Ledger, Release
from node_agent.engines.base import Engine
from node_agent.gate.cosigning import Cosigning
from node_agent.gate.heads import Heads
from node_agent.gate.rates import Rates, Seats
from trustquery.catalogue import Catalogue
from trustquery.codelists import Pin, PublicTables
from trustquery.identity import Acceptance, Envelope, Permit, Revocations, Root, Roster, SigningKey
from trustquery.model import Query
from trustquery.planning import Plan
from trustquery.policy import Policy
from trustquery.protocol.messages import AnswerMessage, Offer
from trustquery.reviews import Hearing

__all__ = [
    "Clock",
    "Documents",
    "Governance",
    "Ports",
    "Reviews",
    "Settings",
    "ShuttingDownError",
    "ToReview",
    "at_once",
    "nothing",
]


class ShuttingDownError(Exception):
    """The node is going down: the passage ends where it is, and the next start takes it up."""


class Clock(Protocol):
    """Wall time for documents and budgets, monotonic time for slots."""

    def wall(self) -> int:
        """Whole seconds since 1970."""
        ...

    def wall_ms(self) -> int:
        """Whole milliseconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        ...

    def wait_until(self, moment: float) -> None:
        """Sleep until a monotonic time; raises ``ShuttingDownError`` when the node goes down."""
        ...


class Documents(Protocol):
    """Documents of the federation, each verified against the root."""

    def root(self) -> Root:
        """The newest root that follows from the one confirmed at enrolment.

        Raises:
            TrustQueryError: ``auth-document``.
        """
        ...

    def roster(self, now: int) -> Roster:
        """The roster in force.

        Raises:
            TrustQueryError: ``policy-document-stale``: none, or expired.
        """
        ...

    def check_inputs(self, pins: Iterable[Pin]) -> None:
        """Refuse a query that pins an input which the committee has withdrawn.

        Raises:
            TrustQueryError: ``query-input-withdrawn``.
        """
        ...

    def revocations(self, now: int) -> tuple[Revocations, frozenset[str]]:
        """The revocation statement in force, and the ids of the roster's statement keys that signed it.

        Raises:
            TrustQueryError: ``policy-revocations-absent``, ``policy-document-stale``.
        """
        ...

    def permit(self, project: str, now: int) -> tuple[Permit, Envelope]:
        """The permit of a project as it was last sent.

        Raises:
            TrustQueryError: ``project-unknown``, ``auth-document``, ``policy-document-stale``.
        """
        ...


class Governance(Protocol):
    """What the trust itself decided: policy, acceptances, stop and pause."""

    def policy(self) -> Policy:
        """The policy in force, signed by the trust's governance.

        Raises:
            TrustQueryError: ``policy-absent``, ``policy-signature``, ``policy-invalid``.
        """
        ...

    def acceptance(self, project: str) -> Acceptance:
        """The trust's yes to a project, signed by its governance.

        Raises:
            TrustQueryError: ``policy-not-accepted``.
        """
        ...

    def stopped(self) -> bool:
        """Whether the trust has paused or stopped answering."""
        ...

    def stopped_after(self, seq: int) -> bool:
        """Whether it has, or had at any time since the ledger entry with this number: also where it resumed since."""
        ...


@dataclass(frozen=True)
class ToReview:
    """What people need to see of a question beside the noised figures; nothing of it depends on data.

    Attributes:
        offer: intent, permit and model as they were signed and sent.
        why: why the policy asks for a review, in words.
        ready_ms: wall-clock time at which the figures are there to be seen, ms since 1970.
    """

    release_id: str
    offer: Offer
    why: str
    ready_ms: int


class Reviews(Protocol):
    """Where releases lie that people look at, and what they said."""

    def keep(self, asked: ToReview) -> None:
        """Keep what is to be reviewed, durably, before any data are read."""
        ...

    def ready_ms(self, release_id: str) -> int | None:
        """When the figures were there to be seen, ms since 1970; None where that cannot be told."""
        ...

    def hearing(self, release: Release) -> Hearing:
        """The verdicts that count now; none where they cannot be read."""
        ...


@dataclass(frozen=True)
class Settings:
    """Figures of ``node.toml`` that the gate uses; ``node_agent.config.AnswerConfig`` describes them."""

    slot_ms: int = 1_000
    allowance_ms: int = 2_000
    rows_per_second: int = 2_000_000
    draws_per_second: int = 40_000
    queue_ms: int = 10_000


def nothing(step: str) -> None:
    """The observer that does nothing."""


def at_once(task: Callable[[], None]) -> None:
    """Do a task here and now, whatever it waits for."""
    task()


@dataclass(frozen=True)
class Ports:
    """Everything outside the gate.

    Attributes:
        node: this node's name; ``federation`` the name of its federation.
        key: the identity key that signs answers.
        certificate: serial number of the certificate that this node uses now, hexadecimal; it changes at renewal.
        inputs: model to the public tables at hand of the names that it pins.
        engine: dataset id, public tables and the treatment of opt-outs to an engine over the data version now in
            use; it keeps that version, and leaves opted-out people out of every scan unless the treatment exempts.
        catalogue: dataset id to catalogue; raises for a dataset this node does not serve.
        budget_subject: dataset id to the name under which its budget is kept.
        compile_plan: model, catalogue and public tables to plan.
        draw: draws discrete Gaussian noise for a plan's vector.
        noise: adds what was drawn to a vector.
        release_keys: the same for counts by key, and drops keys below the plan's threshold.
        send: hands an answer to the stream; must not block.
        heads: which ledger head the outside may see.
        cosigning: whether witnesses have cosigned it.
        reviews: where releases lie that people look at.
        later: takes over what waits for a review's deadline, so that nothing else waits with it.
        log: local log of data-independent events.
        observer: called with each step's name when it begins; for metrics.
    """

    node: str
    federation: str
    key: SigningKey
    certificate: Callable[[], str]
    clock: Clock
    ledger: Ledger
    inputs: Callable[[Query], PublicTables]
    engine: Callable[[str, PublicTables, str], Engine]
    documents: Documents
    governance: Governance
    catalogue: Callable[[str], Catalogue]
    budget_subject: Callable[[str], str]
    compile_plan: Callable[[Query, Catalogue, PublicTables], Plan]
    draw: Callable[[Plan], list[int]]
    noise: Callable[[list[int], Plan, list[int]], list[int]]
    release_keys: Callable[[dict[str, int], Plan], dict[str, int]]
    send: Callable[[AnswerMessage], None]
    heads: Heads
    cosigning: Cosigning
    log: Callable[..., None]
    settings: Settings
    rates: Rates
    seats: Seats
    reviews: Reviews
    observer: Callable[[str], None] = nothing
    later: Callable[[Callable[[], None]], None] = at_once

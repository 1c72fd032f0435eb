"""The gate: every query passes these steps, in this order, and nothing else answers.

Up to *reserve* a refusal says why and costs nothing; it is decided on text, signatures, policy, budget and list age,
before data are read. From *start* on there are two outcomes, an answer or a no-answer, both charged, at a slot that
was fixed before. If the ledger cannot be written, nothing is said at all.
"""

from __future__ import annotations

from collections.abc import Callable

from node_agent.gate import (
    admit,
    authenticate,
    bound,
    commit,
    decode,
    endings,
    engine,
    model,
    noise,
    optouts,
    plan,
    policy,
    recheck,
    reserve,
    review,
    send,
    sign,
    start,
    stored,
    verify,
    witness,
)
from node_agent.gate.case import Case, HeldError, KnownReleaseError, Peer, WithheldError
from node_agent.gate.cosigning import FrozenError
from node_agent.gate.ports import Ports, ShuttingDownError
from trustquery.errors import TrustQueryError
from trustquery.protocol.messages import Offer

__all__ = ["STEPS", "pass_offer"]

Step = Callable[[Case, Ports], None]

STEPS: tuple[tuple[str, Step], ...] = (
    ("authenticate", authenticate.run),
    ("admit", admit.run),
    ("decode", decode.run),
    ("verify", verify.run),
    ("model", model.run),
    ("plan", plan.run),
    ("policy", policy.run),
    ("optouts", optouts.run),
    ("stored", stored.run),
    ("reserve", reserve.run),
    ("start", start.run),
    ("engine", engine.run),
    ("bound", bound.run),
    ("noise", noise.run),
    ("sign", sign.run),
    ("commit", commit.run),
    ("review", review.run),
    ("witness", witness.run),
    ("recheck", recheck.run),
    ("send", send.run),
)

SKIPPED_WHEN_STORED = frozenset({"start", "engine", "bound", "noise"})


def pass_offer(offer: Offer, peer: Peer, arrived: float, ports: Ports) -> None:
    """Take one offer through the gate; returns when it is answered, refused or dead.

    Args:
        arrived: monotonic time at which the offer arrived (T0 of the slots).

    Raises:
        TrustQueryError: ``ledger-…`` only: the process must stop answering.
    """
    case = Case(offer, peer, arrived)
    try:
        for name, step in STEPS:
            if case.is_stored and name in SKIPPED_WHEN_STORED:
                continue
            ports.observer(name)
            step(case, ports)
    except KnownReleaseError:
        endings.known(case, ports)
    except (FrozenError, HeldError, ShuttingDownError, WithheldError):
        pass
    except Exception as error:
        _end(case, error, ports)
    finally:
        if case.seated:
            ports.seats.give_back(case.seat_until(ports.settings.slot_ms))


def _end(case: Case, error: Exception, ports: Ports) -> None:
    if ports.ledger.failed:
        raise TrustQueryError("ledger-unwritable") from error
    if case.committed:
        # The bytes are safe in the ledger and go out at the next start; to say anything else would be a second answer.
        endings.local_fault(error, ports)
        return
    try:
        if case.started:
            if not isinstance(error, TrustQueryError):
                endings.local_fault(error, ports)
            endings.no_answer(case, ports)
        else:
            endings.refuse(case, error, ports)
    except (FrozenError, ShuttingDownError):
        pass

"""Step 15: the answer as a signed document. The signature covers the vector's hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal

from node_agent.budget.port import Release
from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import Problem, TrustQueryError
from trustquery.identity import Answer
from trustquery.policy import Policy
from trustquery.protocol.pairs import read_pairs

__all__ = ["no_answer", "refusal", "run", "withheld"]


def _signed(answer: Answer, ports: Ports) -> bytes:
    return answer.sign(ports.key).encode()


def run(case: Case, ports: Ports) -> None:
    """Sign the answer, unless its slot has already come.

    Raises:
        TrustQueryError: ``node-no-answer``.
    """
    if case.stored_vector is not None:
        case.vector = case.stored_vector
    if ports.clock.monotonic() >= case.ready(ports.settings.slot_ms):
        raise TrustQueryError("node-no-answer")
    answer = _document(
        case,
        ports,
        "answer",
        vector_sha256=hashlib.sha256(case.vector).hexdigest(),
        vector_length=len(read_pairs(case.vector)) if case.plan.has_unknown_keys else len(case.vector) // 8,
        rho_nano=case.plan.rho_nano,
        # Signed here, so that nobody on the way can leave it out.
        reasons=tuple(_notes(case.policy)),
    )
    case.envelope = _signed(answer, ports)


def _notes(policy: Policy) -> Iterator[Problem]:
    """What belongs beside every answer under this policy."""
    if policy.bootstrap:
        yield Problem("policy-bootstrap")
    if policy.queries.disclosure_floor is not None:
        yield Problem("policy-disclosure-floor", fields={"profile": policy.queries.disclosure_floor})


def _document(
    case: Case,
    ports: Ports,
    status: Literal["answer", "refused"],
    *,
    vector_sha256: str = "",
    vector_length: int = 0,
    rho_nano: int = 0,
    reasons: Sequence[Problem] = (),
) -> Answer:
    return Answer(
        federation=ports.federation,
        release_id=case.release_id,
        query_hash=case.intent.query_hash,
        plan_hash=case.intent.plan_hash,
        node=ports.node,
        data_version=case.data_version,
        policy_hash=case.policy_hash,
        mode=case.intent.mode,
        status=status,
        vector_sha256=vector_sha256,
        vector_length=vector_length,
        rho_nano=rho_nano,
        ledger_seq=case.ledger_seq,
        reasons=tuple(problem.document() for problem in reasons),
    )


def refusal(case: Case, ports: Ports, problems: Sequence[Problem]) -> bytes:
    """A signed refusal: decided before any data were read."""
    return _signed(_document(case, ports, "refused", reasons=problems), ports)


def no_answer(release: Release, ports: Ports) -> bytes:
    """A signed no-answer, made from the ledger alone: the same bytes before and after a crash.

    One code stands for kill, error and crash. An EXPIRED release was refunded, so it costs nothing.
    """
    return _nothing(release, TrustQueryError("node-no-answer").problem, ports)


def withheld(release: Release, why: str, ports: Ports) -> bytes:
    """A signed no-answer that a review ended in: charged like an answer, and said when one would have left.

    Args:
        why: from the closed list of reasons. It tells of the noised figures at most, which are paid for.
    """
    return _nothing(release, Problem("policy-review-withheld", fields={"why": why}), ports)


def _nothing(release: Release, reason: Problem, ports: Ports) -> bytes:
    answer = Answer(
        federation=ports.federation,
        release_id=release.release_id,
        query_hash=release.query_hash,
        plan_hash=release.plan_hash,
        node=ports.node,
        data_version=release.data_version,
        policy_hash=release.policy_hash,
        mode=release.mode,
        status="no-answer",
        vector_sha256="",
        vector_length=0,
        rho_nano=0 if release.refunded else release.rho_nano,
        ledger_seq=release.reserved_seq,
        reasons=(reason.document(),),
    )
    return _signed(answer, ports)

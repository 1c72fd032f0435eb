"""Is this answer what the node signed, for this query? The coordinator asks before it merges; the client asks again."""

from __future__ import annotations

import array
import hashlib
import sys
from collections.abc import Iterable, Sequence
from typing import Protocol

from trustquery.errors import TrustQueryError
from trustquery.identity import Answer, NodeEntry, key_id
from trustquery.model.unknown import MAX_UNKNOWN_KEYS
from trustquery.protocol.pairs import read_pairs

__all__ = [
    "KEYED",
    "Question",
    "add_vectors",
    "check_answer",
    "check_vector",
    "disclosure_floor",
    "has_rollback_protection",
    "read_vector",
]

KEYED = 0
"""The vector length of a plan whose keys are found in the data: how many pairs it has is part of the answer."""
FLOOR = "policy-disclosure-floor"
NOTES = frozenset({"policy-bootstrap", FLOOR})
"""Codes that may stand beside an answer."""


class Question(Protocol):
    """What an answer must be to: an intent, or as much of one as is known of somebody else's query."""

    @property
    def federation(self) -> str:
        """The federation's name."""
        ...

    @property
    def release_id(self) -> str:
        """The release."""
        ...

    @property
    def query_hash(self) -> str:
        """Hash of the model."""
        ...

    @property
    def plan_hash(self) -> str:
        """Hash of the plan."""
        ...

    @property
    def mode(self) -> str:
        """The release mode."""
        ...

    @property
    def rho_nano(self) -> int:
        """The charge, in 1e-9 rho."""
        ...


def _wrong(problem: str) -> TrustQueryError:
    return TrustQueryError("auth-document", place="answer", document="answer", problem=problem)


def check_answer(envelope: bytes, *, node: NodeEntry, intent: Question, vector_length: int) -> Answer:
    """Read one node's signed answer to one intent.

    Args:
        node: its entry on the root-signed roster.
        vector_length: length of the plan's vector, int64s; ``KEYED`` for a thresholded release.

    Raises:
        TrustQueryError: ``auth-document``: a wrong signature, another query's answer, a charge above the signed one.
    """
    key = bytes.fromhex(node.key)
    answer, _, _ = Answer.verify(envelope, {key_id(key): key}, 1)
    named = (
        (answer.node, node.node),
        (answer.federation, intent.federation),
        (answer.release_id, intent.release_id),
        (answer.query_hash, intent.query_hash),
        (answer.plan_hash, intent.plan_hash),
        (answer.mode, intent.mode),
    )
    if any(found != wanted for found, wanted in named):
        raise _wrong("it answers something else")
    if answer.rho_nano > intent.rho_nano:
        raise _wrong("it charges more than was signed")
    if answer.status == "answer":
        notes = {reason.get("code") for reason in answer.reasons}
        most = MAX_UNKNOWN_KEYS if vector_length == KEYED else vector_length
        if not vector_length <= answer.vector_length <= most or not answer.vector_sha256 or not notes <= NOTES:
            raise _wrong("its vector has another shape")
    elif answer.vector_length or answer.vector_sha256:
        raise _wrong("it has a vector beside a refusal")
    if answer.status == "refused" and (not answer.reasons or answer.rho_nano):
        raise _wrong("a refusal has a reason and no charge")
    return answer


def has_rollback_protection(answer: Answer) -> bool:
    """Whether witnesses would notice a restored backup of the ledger behind this answer; the node signs if not."""
    return all(reason.get("code") != "policy-bootstrap" for reason in answer.reasons)


def disclosure_floor(answer: Answer) -> str | None:
    """The disclosure profile that a trust asks for at least, in the answer that it signed; None where it asks for none.

    Raises:
        TrustQueryError: ``auth-document``: it says so more than once, or names nothing.
    """
    found = [reason for reason in answer.reasons if reason.get("code") == FLOOR]
    if not found:
        return None
    fields = found[0].get("fields")
    name = fields.get("profile") if isinstance(fields, dict) else None
    if len(found) > 1 or not isinstance(name, str):
        raise _wrong("its note of a disclosure profile cannot be read")
    return name


def check_vector(answer: Answer, vector: bytes, *, keyed: bool = False) -> None:
    """Check the bytes beside an answer against what it signed.

    Args:
        keyed: whether the answer is of a thresholded release.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    try:
        length = len(read_pairs(vector)) if keyed else len(vector) / 8
    except ValueError:
        raise _wrong("its vector has another shape") from None
    if length != answer.vector_length:
        raise _wrong("its vector has another length")
    if answer.status == "answer" and hashlib.sha256(vector).hexdigest() != answer.vector_sha256:
        raise _wrong("its vector has another hash")


def read_vector(vector: bytes) -> Sequence[int]:
    """Little-endian int64s as integers."""
    numbers = array.array("q", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def add_vectors(vectors: Iterable[bytes], length: int) -> list[int]:
    """The merge: a sum, place by place, in integers without limit (formats.md, "Numbers")."""
    total = [0] * length
    for vector in vectors:
        total = [left + right for left, right in zip(total, read_vector(vector), strict=True)]
    return total

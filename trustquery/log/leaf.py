"""Ledger leaves: what an auditor reads. No patient value, no count of people, no exact time.

How an auditor adds up: a ``reserved`` leaf charges its rho and delta to node-wide and to every commitment it lists; a
``stored`` leaf (an identical question, answered again with the same bytes) only to the commitments it lists; an
``expired`` leaf takes back what the release's earlier leaf charged; an ``exhausted`` leaf (entries were lost, so all
that was left counts as spent) charges the one commitment that it lists, or node-wide where it lists none. All other
kinds charge nothing and take nothing back, ``erased`` among them: that the bytes of an answer are kept no more; and
``opened``: that the node's process began to show its head to witnesses. One subject has one salt, so its commitment is
always the same text and its charges can be added without knowing its name.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from trustquery.identity.documents import BigInteger
from trustquery.log.logged import Logged

__all__ = ["FIRST_PREV_HASH", "KINDS", "Kind", "Leaf", "commitment"]

Kind = Literal[
    "reserved",
    "stored",
    "started",
    "committed",
    "expired",
    "dead",
    "withheld",
    "refused",
    "policy",
    "roster",
    "permit",
    "acceptance",
    "refresh",
    "optouts",
    "governance",
    "lodged",
    "withdrawn",
    "declined",
    "paused",
    "stopped",
    "resumed",
    "root",
    "revocations",
    "erased",
    "alarm",
    "opened",
    "repaired",
    "exhausted",
]
KINDS: tuple[str, ...] = get_args(Kind)
FIRST_PREV_HASH = "0" * 64
_Hash = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
_Whole = Annotated[int, Field(ge=0, le=2**53)]


class Leaf(Logged):
    """One entry of a node's ledger, in canonical JSON. Hashes are hexadecimal; "" where a field does not apply.

    Attributes:
        seq: counts from 1; the leaf's position in the tree is one less.
        prev_hash: leaf hash of the entry before; 64 zeros for the first.
        intent_hash: hash of the signed document the entry is about: the intent, or for the kinds policy, root,
            roster, revocations, permit, acceptance, declined (the acceptance), governance, lodged and withdrawn that
            document; for alarm the bytes that were refused, "" where it counts others; for repaired and exhausted the
            order that two people signed; for optouts what stands for the lists of a data version, a hash under the
            node's own key.
        dataset_commitments: one for each dataset charged, sorted.
        profiles_commitment: the dataset whose profile this is, where the policy gives profiles a cap of their own.
        facts_commitment: what the node keeps beside an entry, under a salt of its own. ``reserved`` and ``stored``: all
            that is fixed of the release, its day among it; ``committed``: the vector that is kept for who asks again;
            ``exhausted``: its day; ``lodged``: the change's hash and when it was lodged; ``alarm``: why, where, the
            hash and when; ``opened``: 32 random bytes, so that no two starts of a ledger and no two copies of it ever
            have the same head.
        rho_sum_nano: loss at this trust in the federation's sum, 1e-9 rho; in local mode the same as the next.
        rho_local_nano: loss of this trust's share alone.
        outbox_hash: SHA-256 of the exact bytes to send (``committed``).
        planned_slot: k, the slot fixed before data are read.
    """

    NAME: ClassVar[str] = "ledger entry"
    LATER: ClassVar[tuple[str, ...]] = ("profiles_commitment", "facts_commitment")

    seq: Annotated[int, Field(ge=1, le=2**53)]
    prev_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    kind: Kind
    release_id: _Hash = ""
    intent_hash: _Hash = ""
    dataset_commitments: tuple[_Hash, ...] = ()
    project_commitment: _Hash = ""
    analyst_commitment: _Hash = ""
    profiles_commitment: _Hash = ""
    data_version: _Whole = 0
    mode: Literal["", "local", "secure-sum"] = ""
    rho_sum_nano: _Whole = 0
    rho_local_nano: _Whole = 0
    delta_atto: Annotated[BigInteger, Field(ge=0, le=10**18)] = 0
    outbox_hash: _Hash = ""
    policy_hash: _Hash = ""
    planned_slot: _Whole = 0
    facts_commitment: _Hash = ""


def commitment(salt: bytes, scope: str, subject: str) -> str:
    """What stands for a subject in the log: HMAC-SHA256 under the subject's own salt, hexadecimal."""
    return hmac.new(salt, scope.encode() + b"\x00" + subject.encode(), hashlib.sha256).hexdigest()

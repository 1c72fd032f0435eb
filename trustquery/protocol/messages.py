"""What the two sides of a session say to each other, as plain frozen data.

``trustquery.wire`` alone turns these into protobuf and back. Envelopes and models stay opaque bytes here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = [
    "PREVIEW_NOTES",
    "PROTOCOL_VERSION",
    "Ack",
    "AnswerMessage",
    "Cancel",
    "Certificate",
    "Cosignature",
    "Documents",
    "Goodbye",
    "Heartbeat",
    "Hello",
    "Join",
    "Message",
    "Offer",
    "Preview",
    "PreviewReply",
    "Renew",
    "ScopeShare",
    "WitnessRequest",
]

PREVIEW_NOTES = ("policy-review-held",)
"""Codes that may stand in a preview beside a yes."""
PROTOCOL_VERSION = 3
"""Earlier versions are not spoken: 1 had no ``Join``, so that a copied node could have asked for it to stay unnoticed;
the frames of 2 did not name their stream, so that one captured on another could have been repeated."""


@dataclass(frozen=True)
class Hello:
    """First message of each side. ``nonce``: 32 fresh bytes; ``echo``: the peer's nonce, empty in the node's."""

    versions: tuple[int, ...]
    node: str
    nonce: bytes
    echo: bytes = b""
    ledger_head: bytes = b""
    policy_hash: str = ""
    plan_formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Heartbeat:
    """Still here; carries the ledger head of the last slot, never a load figure.

    ``frozen``: the node's ledger does not extend what witnesses cosigned, so it answers nothing.
    """

    ledger_head: bytes = b""
    policy_hash: str = ""
    frozen: bool = False


@dataclass(frozen=True)
class Documents:
    """Envelopes; each is verified by its reader. A node sends ``stances`` alone, the coordinator all but those."""

    roster: bytes = b""
    revocations: bytes = b""
    permits: tuple[bytes, ...] = ()
    stances: tuple[bytes, ...] = ()
    withdrawals: tuple[bytes, ...] = ()
    roots: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Preview:
    """Would this be accepted? Answered from text, policy and budget alone."""

    preview_id: bytes
    model: bytes
    permit: bytes
    key_id: str
    key_kind: str
    opt_out_treatment: str
    disclosure_profile: str
    min_trusts: int


@dataclass(frozen=True)
class ScopeShare:
    """One budget scope: what is left and what the query would take, in millionths of the cap."""

    scope: str
    left_millionths: int
    cost_millionths: int


@dataclass(frozen=True)
class PreviewReply:
    """``reasons`` is a list of problem documents; when accepted, of notes alone (``PREVIEW_NOTES``)."""

    preview_id: bytes
    accepted: bool
    reasons: tuple[dict[str, object], ...] = ()
    shares: tuple[ScopeShare, ...] = ()


@dataclass(frozen=True)
class Offer:
    """A signed intent with everything a node needs to check it."""

    intent: bytes
    permit: bytes
    model: bytes
    closes_in_ms: int = 0


@dataclass(frozen=True)
class AnswerMessage:
    """The signed answer document and, for ``status: answer``, the vector (little-endian int64).

    ``head``: the ledger's head that holds the release, with its witnesses' cosignatures; b"" in bootstrap.
    """

    release_id: str
    envelope: bytes
    vector: bytes = field(default=b"", repr=False)
    head: bytes = b""


@dataclass(frozen=True)
class Ack:
    """The coordinator holds the answer durably; the node may stop re-sending it."""

    release_id: str


@dataclass(frozen=True)
class Cancel:
    """The result has closed; the node need not hurry. It changes nothing about what is charged."""

    release_id: str


@dataclass(frozen=True)
class WitnessRequest:
    """Asks a witness to cosign a checkpoint that extends the one it last saw.

    ``witness``: who is asked, for the coordinator to pass it on; "" where the receiver is meant.
    """

    request_id: bytes
    origin: str
    old_size: int
    checkpoint: bytes
    consistency_proof: tuple[bytes, ...] = ()
    witness: str = ""


@dataclass(frozen=True)
class Cosignature:
    """A C2SP cosignature line, or a refusal code.

    ``kept``: where it was refused because of a checkpoint that the witness cosigned before, that one.
    """

    request_id: bytes
    cosignature: bytes = b""
    refusal: str = ""
    kept: bytes = b""


@dataclass(frozen=True)
class Join:
    """The node's second message: its join counter, and a proof that it holds the identity key now."""

    counter: int
    proof: bytes


@dataclass(frozen=True)
class Renew:
    """Asks for a new certificate for the same TLS key; ``request`` is PEM."""

    request: bytes


@dataclass(frozen=True)
class Certificate:
    """The renewed certificate, PEM."""

    certificate: bytes


@dataclass(frozen=True)
class Goodbye:
    """Last message of a side; ``reason`` is an error code or ``restart``."""

    reason: str


Message = (
    Hello
    | Heartbeat
    | Documents
    | Preview
    | PreviewReply
    | Offer
    | AnswerMessage
    | Ack
    | Cancel
    | WitnessRequest
    | Cosignature
    | Goodbye
    | Join
    | Renew
    | Certificate
)

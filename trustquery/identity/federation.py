"""Who the federation is: its root, the roster that the root signs, and the statement of what no longer counts.

The root is held offline, by several people. The roster names the nodes, the committee, and the keys that sign the daily
statement: that is the only power that the root delegates, and it lapses with the roster, after at most 30 days.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from trustquery.identity.documents import DAY, Document, Hex32, Name, Part, Person, Seconds, Words, check_distinct
from trustquery.identity.keys import ring_of

__all__ = [
    "ROSTER_MAX_SECONDS",
    "STATEMENT_MAX_SECONDS",
    "NodeEntry",
    "Revocations",
    "Revoked",
    "RevokedKind",
    "Root",
    "Roster",
    "words_for",
]

ROSTER_MAX_SECONDS = 30 * DAY
STATEMENT_MAX_SECONDS = 30 * DAY


class Root(Document):
    """The federation's trust anchor: whose keys sign rosters. The first reaches a trust by its fingerprint.

    Attributes:
        version: 1 for the first; each next root has the next number.
        previous: hash of the root before, which has to sign this one; "" in the first.
    """

    KIND: ClassVar[str] = "root"
    federation: Name
    version: int = Field(ge=1)
    previous: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    keys: tuple[Hex32, ...] = Field(min_length=1, max_length=9)
    threshold: int = Field(ge=1)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if len(set(self.keys)) != len(self.keys) or self.threshold > len(self.keys):
            raise ValueError("distinct keys, no fewer than the threshold")
        if (self.version == 1) != (self.previous == ""):
            raise ValueError("every root but the first names the root before it")
        return self

    @property
    def ring(self) -> dict[str, bytes]:
        """Key id to public key."""
        return ring_of(self.keys)


class NodeEntry(Part):
    """One node on the roster.

    Attributes:
        node: its name; also the last part of its certificate's SPIFFE URI.
        key: the Ed25519 identity key that signs its answers.
        tls_key_sha256: SHA-256 of its certificate's SubjectPublicKeyInfo.
    """

    node: Name
    ods: Annotated[str, Field(pattern=r"^[A-Z0-9]{3,8}$")]
    name: Words
    key: Hex32
    tls_key_sha256: Hex32


class Roster(Document):
    """Who belongs to the federation; signed by the root, at most 30 days, never going backwards.

    Attributes:
        statement_keys: whose signature makes a revocation statement; none is the coordinator's or a node's.
    """

    KIND: ClassVar[str] = "roster"
    federation: Name
    version: int = Field(ge=1)
    issued: Seconds
    expires: Seconds
    coordinator_key: Hex32
    statement_keys: tuple[Hex32, ...] = Field(min_length=1, max_length=5)
    nodes: tuple[NodeEntry, ...]
    committee: tuple[Person, ...]
    committee_threshold: int = Field(ge=2)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if not self.issued < self.expires <= self.issued + ROSTER_MAX_SECONDS:
            raise ValueError("a roster lives at most 30 days")
        if len({node.node for node in self.nodes}) != len(self.nodes):
            raise ValueError("each node may be listed once")
        if len({node.key for node in self.nodes}) != len(self.nodes):
            raise ValueError("each node has a key of its own")
        if len(set(self.statement_keys)) != len(self.statement_keys):
            raise ValueError("each statement key may be listed once")
        # Who could hold statements back must not also be able to sign one that leaves something out.
        if {self.coordinator_key, *(node.key for node in self.nodes)} & set(self.statement_keys):
            raise ValueError("a statement key is neither the coordinator's nor a node's")
        check_distinct(self.committee)
        return self

    def node(self, name: str) -> NodeEntry | None:
        """The entry called ``name``, or None."""
        return next((node for node in self.nodes if node.node == name), None)

    @property
    def committee_ring(self) -> dict[str, bytes]:
        """Committee key ids to public keys."""
        return ring_of(item.key for item in self.committee)

    @property
    def statement_ring(self) -> dict[str, bytes]:
        """Ids of the keys that sign revocation statements to public keys."""
        return ring_of(self.statement_keys)


RevokedKind = Literal["certificate", "key", "permit"]


class Revoked(Part):
    """One thing that no longer counts.

    Attributes:
        kind: a public key of a person or a node; a permit, by its hash; a certificate, by its serial number.
        id: lower-case hexadecimal.
        until: when the thing itself expires, seconds since 1970: from then on a statement may leave it out. 0 for
            never, which is so for every key.
    """

    kind: RevokedKind
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]
    until: Seconds

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.kind == "certificate" and len(self.id) > 40:
            raise ValueError("a serial number has at most 40 digits")
        if self.kind != "certificate" and len(self.id) != 64:
            raise ValueError("64 hexadecimal digits")
        if self.kind == "key" and self.until:
            raise ValueError("a key has no expiry of its own")
        return self


class Revocations(Document):
    """The daily statement of what no longer counts, by a key that the root delegated. It never forgets.

    It says what, and never why: it goes to every trust, and a reason may be about a person.
    """

    KIND: ClassVar[str] = "revocations"
    federation: Name
    version: int = Field(ge=1)
    issued: Seconds
    expires: Seconds
    revoked: tuple[Revoked, ...] = Field(max_length=10_000)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if not self.issued < self.expires <= self.issued + STATEMENT_MAX_SECONDS:
            raise ValueError("a statement lives at most 30 days")
        names = [(item.kind, item.id) for item in self.revoked]
        if names != sorted(set(names)):
            raise ValueError("each thing stands once, in the order of kind and id")
        return self

    def ids(self, kind: RevokedKind) -> frozenset[str]:
        """Everything of one kind that no longer counts."""
        return frozenset(item.id for item in self.revoked if item.kind == kind)

    def has_key(self, public: str) -> bool:
        """Whether a public key, hexadecimal, no longer counts."""
        return public in self.ids("key")

    def forgets(self, older: Revocations) -> tuple[Revoked, ...]:
        """What an older statement revoked, has not expired, and is not here, or here for a shorter time."""
        until = {(item.kind, item.id): item.until for item in self.revoked}

        def kept(item: Revoked) -> bool:
            here = until.get((item.kind, item.id))
            return here == 0 or (here is not None and item.until != 0 and here >= item.until)

        lasting = (item for item in older.revoked if item.until == 0 or item.until > self.issued)
        return tuple(item for item in lasting if not kept(item))


def words_for(root: Root, node_key: bytes, ods: str, code: str, word_list: tuple[str, ...]) -> str:
    """The 12 words (132 bits) that both sides of an enrolment compare.

    Args:
        root: the federation's trust anchor.
        node_key: 32 raw bytes.
        ods: the trust's ODS code.
        code: the one-time enrolment code.
        word_list: 2,048 words (BIP-39 English).
    """
    parts = (bytes.fromhex(root.sha256), node_key, ods.encode(), code.encode())
    digest = hashlib.sha256(
        b"trustquery/enrolment/v1" + b"".join(len(p).to_bytes(4, "big") + p for p in parts)
    ).digest()
    number = int.from_bytes(digest, "big") >> (256 - 132)
    return " ".join(word_list[(number >> (11 * (11 - place))) & 2047] for place in range(12))

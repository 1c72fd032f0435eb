"""Keys, certificates and signed documents; how anything in the federation is believed."""

from trustquery.identity.documents import (
    Acceptance,
    Answer,
    Document,
    Input,
    Intent,
    LawfulBasis,
    Member,
    Permit,
    Person,
)
from trustquery.identity.envelope import Envelope
from trustquery.identity.federation import NodeEntry, Revocations, Revoked, Root, Roster, words_for
from trustquery.identity.governance import GovernanceList, Order
from trustquery.identity.keys import (
    SigningKey,
    key_id,
    new_secret,
    read_private_file,
    ring_of,
    verify,
    write_private_file,
)

__all__ = [
    "Acceptance",
    "Answer",
    "Document",
    "Envelope",
    "GovernanceList",
    "Input",
    "Intent",
    "LawfulBasis",
    "Member",
    "NodeEntry",
    "Order",
    "Permit",
    "Person",
    "Revocations",
    "Revoked",
    "Root",
    "Roster",
    "SigningKey",
    "key_id",
    "new_secret",
    "read_private_file",
    "ring_of",
    "verify",
    "words_for",
    "write_private_file",
]

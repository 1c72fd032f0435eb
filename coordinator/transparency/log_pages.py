"""The coordinator's log, read for people: its head, who has cosigned it, entries in words, the proof of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from coordinator.services import Base
from trustquery.errors import TrustQueryError
from trustquery.log import Checkpoint
from trustquery.log.cosignature import cosigners
from trustquery.log.entry import Entry
from trustquery.log.proof import Proof

__all__ = ["LOG_FIELDS", "Head", "LogPage", "OneEntry", "read_entry", "read_head", "read_log", "script"]

ROWS = 50
LOG_FIELDS = ("seq", "on", "kind", "text", "project", "node", "release_id", "document_hash", "rho_nano")
"""What a row of the log has, as the entry writes it; commitments stand on the entry's own page."""


@dataclass(frozen=True)
class Head:
    """The signed head that is shown.

    Attributes:
        root: hexadecimal.
        witnesses: name to the time of its cosignature, seconds since 1970 UTC.
        key: the verifier key of the log.
        note: as it was signed.
    """

    origin: str
    size: int
    root: str
    witnesses: Mapping[str, int]
    key: str
    note: bytes


@dataclass(frozen=True)
class LogPage:
    """Some entries, newest first; ``number`` 1 is the newest page."""

    entries: tuple[Entry, ...]
    number: int
    pages: int


@dataclass(frozen=True)
class OneEntry:
    """One entry with the proof that it stands in the log.

    Attributes:
        payload: its bytes, as they were hashed.
        proof: the file that proves it; it was verified just now.
        steps: how many hashes the proof has.
    """

    entry: Entry
    payload: bytes
    proof: bytes
    steps: int
    head: Head


def read_head(base: Base) -> Head:
    """The head that is shown now.

    Raises:
        TrustQueryError: ``usage-not-here``: none has been shown yet.
    """
    log = base.audit_log
    note = log.shown()
    head = Checkpoint.read(note)
    keys = {node.node: bytes.fromhex(node.key) for node in base.rosters.current().nodes}
    return Head(head.origin, head.size, head.root.hex(), cosigners(note, keys), log.verifier_key.text, note)


def read_log(base: Base, size: int, number: int | None) -> LogPage:
    """A page of the entries behind a head.

    Args:
        number: from 1, the newest; None for that.

    Raises:
        TrustQueryError: ``usage-not-here``: there is no such page.
    """
    pages = max(1, -(-size // ROWS))
    chosen = 1 if number is None else number
    if not 1 <= chosen <= pages:
        raise TrustQueryError("usage-not-here")
    end = size - (chosen - 1) * ROWS
    start = max(0, end - ROWS)
    found = map(Entry.from_payload, base.store.audit.payloads(start, end - start))
    return LogPage(tuple(reversed(tuple(found))), chosen, pages)


def read_entry(base: Base, seq: int) -> OneEntry:
    """One entry, its proof made and checked.

    Args:
        seq: from 1.

    Raises:
        TrustQueryError: ``usage-not-here``: the head that is shown has no such entry; ``auth-document``: it does not
            stand in the log as it should.
    """
    head = read_head(base)
    if not 1 <= seq <= head.size:
        raise TrustQueryError("usage-not-here")
    (payload,) = base.store.audit.payloads(seq - 1, 1)
    proof = Proof(seq - 1, base.audit_log.inclusion(seq, head.size), head.note)
    proof.verify(payload, head.origin, base.audit_log.verifier_key.public)
    return OneEntry(Entry.from_payload(payload), payload, proof.encode(), len(proof.path), head)


def script() -> bytes:
    """The file with which anybody can verify the log, which shares no code with us."""
    return (resources.files("coordinator.web") / "verify_log.py").read_bytes()

"""The book must say what the hash chain says: what is in force, what waits and since when."""

from __future__ import annotations

from collections.abc import Sequence

from node_agent.budget.database import Database
from trustquery.errors import TrustQueryError
from trustquery.log import Leaf, commitment
from trustquery.log.leaf import Kind

__all__ = ["FIRST_WITH_A_BOOK", "GOVERNING", "check_book", "lodging_subject"]

GOVERNING: frozenset[Kind] = frozenset({"policy", "governance", "lodged", "withdrawn"})
FIRST_WITH_A_BOOK = 3
"""The first version of the tables with a book."""


def lodging_subject(sha256: str, lodged: int) -> str:
    """What the entry of a lodging commits to: the document's hash, and when, in seconds since 1970."""
    return f"{sha256} {lodged}"


def check_book(db: Database, leaves: Sequence[Leaf]) -> None:
    """Compare the book's rows with the entries that made them.

    Args:
        leaves: every entry of a kind in ``GOVERNING``, in order.

    Raises:
        TrustQueryError: ``ledger-corrupt`` with the entry.
    """
    if db.version < FIRST_WITH_A_BOOK:
        return
    _check_in_force(db, leaves)
    _check_lodged(db, leaves)


def _check_in_force(db: Database, leaves: Sequence[Leaf]) -> None:
    by_seq = {leaf.seq: leaf for leaf in leaves}
    last: dict[str, int] = {leaf.kind: leaf.seq for leaf in leaves if leaf.kind in ("policy", "governance")}
    found: dict[str, int] = {}
    for kind, sha256, seq in db.rows("SELECT kind, sha256, seq FROM governed ORDER BY kind, version"):
        leaf = by_seq.get(seq)
        # Versions rise with entries, and each is the very document of its entry.
        if leaf is None or (leaf.kind, leaf.intent_hash) != (kind, sha256) or seq <= found.get(kind, 0):
            raise TrustQueryError("ledger-corrupt", seq=seq)
        found[kind] = seq
    if found != last:
        raise TrustQueryError("ledger-corrupt", seq=max({*last.values(), *found.values()}))


def _check_lodged(db: Database, leaves: Sequence[Leaf]) -> None:
    waiting: dict[str, Leaf] = {}
    for leaf in leaves:
        if leaf.kind == "lodged":
            waiting[leaf.intent_hash] = leaf
        else:
            waiting.pop(leaf.intent_hash, None)
    salts = {subject: bytes(salt) for subject, salt in db.rows("SELECT subject, salt FROM salt WHERE scope = 'lodged'")}
    for sha256, lodged, seq in db.rows("SELECT sha256, lodged, seq FROM lodged WHERE state = 'waiting'"):
        entry, subject = waiting.pop(sha256, None), lodging_subject(sha256, lodged)
        salt = salts.get(subject)
        if entry is None or entry.seq != seq or salt is None:
            raise TrustQueryError("ledger-corrupt", seq=seq)
        if commitment(salt, "lodged", subject) != entry.facts_commitment:
            raise TrustQueryError("ledger-corrupt", seq=seq)
    for leaf in waiting.values():
        raise TrustQueryError("ledger-corrupt", seq=leaf.seq)

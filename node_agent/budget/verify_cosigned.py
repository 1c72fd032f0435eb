"""Heads of others and cosigned heads of this ledger are the bytes that were kept, and its own fit its tree."""

from __future__ import annotations

import hashlib

from node_agent.budget.database import Database
from trustquery.errors import TrustQueryError
from trustquery.log import Checkpoint, Tree

__all__ = ["FIRST_WITH_WITNESSES", "check_cosigned", "pair_hash"]

FIRST_WITH_WITNESSES = 6
"""The first version of the tables that knows of witnesses."""


def pair_hash(ours: bytes, theirs: bytes) -> str:
    """What stands for two heads that do not go together."""
    return hashlib.sha256(hashlib.sha256(ours).digest() + hashlib.sha256(theirs).digest()).hexdigest()


def check_cosigned(db: Database, tree: Tree) -> None:
    """Compare what is kept with its hashes, and the ledger's own heads with its entries.

    Whether a signature is right is asked where a head is used: the keys are not here.

    Raises:
        TrustQueryError: ``ledger-corrupt``.
    """
    if db.version < FIRST_WITH_WITNESSES:
        return
    for size, note, sha256 in db.rows("SELECT size, note, sha256 FROM cosigned"):
        try:
            head = Checkpoint.read(bytes(note))
        except TrustQueryError as error:
            raise TrustQueryError("ledger-corrupt", seq=size) from error
        right = hashlib.sha256(note).hexdigest() == sha256 and head.size == size <= len(tree)
        if not right or head.root != tree.root(size):
            raise TrustQueryError("ledger-corrupt", seq=size)
    for note, sha256 in db.rows("SELECT note, sha256 FROM witness_head"):
        if hashlib.sha256(note).hexdigest() != sha256:
            raise TrustQueryError("ledger-corrupt", seq=0)
    pairs = "SELECT ours, theirs, sha256 FROM frozen UNION ALL SELECT ours, theirs, sha256 FROM witness_fork"
    if any(pair_hash(ours, theirs) != sha256 for ours, theirs, sha256 in db.rows(pairs)):
        raise TrustQueryError("ledger-corrupt", seq=0)

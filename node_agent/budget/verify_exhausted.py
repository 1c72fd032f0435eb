"""Every mark that counts a lost budget as spent has its entry, and every such entry its mark."""

from __future__ import annotations

from collections.abc import Sequence

from node_agent.budget.database import Database
from node_agent.budget.rows import hash_of_row
from node_agent.budget.verify_cosigned import FIRST_WITH_WITNESSES
from trustquery.errors import TrustQueryError
from trustquery.log import Leaf, commitment

__all__ = ["check_exhausted"]


def check_exhausted(db: Database, entries: Sequence[Leaf], repaired: Sequence[Leaf]) -> None:
    """Compare the marks with their entries.

    Raises:
        TrustQueryError: ``ledger-corrupt``.
    """
    known = db.version >= FIRST_WITH_WITNESSES
    rows = db.rows("SELECT seq, scope, subject, rho_nano, delta_atto, day FROM exhausted") if known else []
    settled = {row[0] for row in db.rows("SELECT seq FROM repaired")} if known else set()
    said = {leaf.seq: leaf for leaf in entries}
    if {row[0] for row in rows} != set(said) or settled != {leaf.seq for leaf in repaired}:
        raise TrustQueryError("ledger-corrupt", seq=max(said, default=0))
    salts = {(scope, subject): bytes(salt) for scope, subject, salt in db.rows("SELECT scope, subject, salt FROM salt")}
    for seq, scope, subject, rho, delta, day in rows:
        leaf = said[seq]
        name = commitment(salts.get((scope, subject), b""), scope, subject)
        wanted = {
            "node-wide": ((), ""),
            "dataset": ((name,), ""),
            "profiles": ((), name),
        }.get(scope)
        if (leaf.dataset_commitments, leaf.profiles_commitment) != wanted:
            raise TrustQueryError("ledger-corrupt", seq=seq)
        if (leaf.rho_local_nano, leaf.delta_atto) != (rho, delta):
            raise TrustQueryError("ledger-corrupt", seq=seq)
        seal = commitment(salts.get(("exhausted", f"{scope} {subject}"), b""), "exhausted", hash_of_row(day))
        # An entry of an older version has none.
        if leaf.facts_commitment not in ("", seal):
            raise TrustQueryError("ledger-corrupt", seq=seq)

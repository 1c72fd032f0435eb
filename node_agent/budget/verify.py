"""Reads the whole ledger and believes nothing: the hash chain, each release's history, every charge."""

from __future__ import annotations

import hashlib
from collections import defaultdict

from node_agent.budget.database import Database
from node_agent.budget.rows import COLUMNS, FIXED, check_rows, hash_of_row
from node_agent.budget.states import State
from node_agent.budget.verify_alarms import check_alarms
from node_agent.budget.verify_book import GOVERNING, check_book
from node_agent.budget.verify_cosigned import check_cosigned
from node_agent.budget.verify_exhausted import check_exhausted
from node_agent.budget.verify_schema import check_schema
from trustquery.errors import TrustQueryError
from trustquery.log import FIRST_PREV_HASH, Leaf, Tree, commitment
from trustquery.log.tree import leaf_hash

__all__ = ["FIRST_WITH_ERASURES", "verify"]

FIRST_WITH_ERASURES = 4
"""The first version of the tables that says which answers were erased."""

_STATES: dict[tuple[str, ...], frozenset[State]] = {
    ("reserved",): frozenset({State.RESERVED}),
    ("stored",): frozenset({State.RESERVED}),
    ("reserved", "expired"): frozenset({State.EXPIRED}),
    ("stored", "expired"): frozenset({State.EXPIRED}),
    ("reserved", "started"): frozenset({State.STARTED}),
    ("reserved", "started", "dead"): frozenset({State.DEAD}),
    ("reserved", "started", "committed"): frozenset({State.COMMITTED, State.HELD, State.WITNESSED, State.SENT}),
    ("stored", "committed"): frozenset({State.COMMITTED, State.HELD, State.WITNESSED, State.SENT}),
    ("reserved", "started", "committed", "withheld"): frozenset({State.WITHHELD}),
    ("stored", "committed", "withheld"): frozenset({State.WITHHELD}),
    ("reserved", "started", "committed", "erased"): frozenset({State.SENT}),
    ("stored", "committed", "erased"): frozenset({State.SENT}),
    ("reserved", "started", "committed", "withheld", "erased"): frozenset({State.WITHHELD}),
    ("stored", "committed", "withheld", "erased"): frozenset({State.WITHHELD}),
}
"""The entries of a release, in order, and the states it may then be in."""


def _corrupt(seq: int) -> TrustQueryError:
    return TrustQueryError("ledger-corrupt", seq=seq)


def verify(db: Database) -> Tree:
    """Check every row against its hash, and everything the ledger says against its hash chain.

    A chain cut off at its end still verifies: only witnesses can notice that.

    Returns:
        The tree over all entries.

    Raises:
        TrustQueryError: ``ledger-corrupt`` with the entry.
    """
    with db.lock:
        check_schema(db)
        check_rows(db.rows, db.version)
        tree = Tree()
        governing: list[Leaf] = []
        of_kind: dict[str, list[Leaf]] = {"alarm": [], "exhausted": [], "repaired": []}
        entries: dict[str, list[Leaf]] = defaultdict(list)
        previous = FIRST_PREV_HASH
        for seq, prev_hash, kind, release_id, payload, stored_hash in db.rows(
            "SELECT seq, prev_hash, kind, release_id, payload, hash FROM leaf ORDER BY seq"
        ):
            try:
                leaf = Leaf.from_payload(bytes(payload))
            except TrustQueryError as error:
                raise _corrupt(seq) from error
            columns = (seq, prev_hash, kind, release_id, stored_hash)
            # `from_payload` saw to it that these bytes are the ones the leaf is written with.
            if columns != (len(tree) + 1, previous, leaf.kind, leaf.release_id, leaf_hash(bytes(payload)).hex()):
                raise _corrupt(seq)
            if (leaf.seq, leaf.prev_hash) != (seq, previous):
                raise _corrupt(seq)
            tree.append(leaf.hash)
            previous = stored_hash
            if leaf.release_id and leaf.kind != "refused":
                entries[leaf.release_id].append(leaf)
            if leaf.kind in GOVERNING:
                governing.append(leaf)
            if leaf.kind in of_kind:
                of_kind[leaf.kind].append(leaf)
        _check_releases(db, entries)
        check_book(db, governing)
        check_alarms(db, of_kind["alarm"])
        check_exhausted(db, of_kind["exhausted"], of_kind["repaired"])
        check_cosigned(db, tree)
        return tree


def _check_releases(db: Database, entries: dict[str, list[Leaf]]) -> None:
    salts = {(scope, subject): bytes(salt) for scope, subject, salt in db.rows("SELECT scope, subject, salt FROM salt")}
    charges: dict[str, list[tuple[str, str, int, int, int]]] = defaultdict(list)
    for release_id, *charge in db.rows("SELECT release_id, scope, subject, rho_nano, delta_atto, refunded FROM charge"):
        charges[release_id].append((charge[0], charge[1], charge[2], charge[3], charge[4]))
    if db.row("SELECT 1 FROM charge JOIN release USING (release_id) WHERE charge.day <> release.day"):
        raise _corrupt(0)
    rows = db.rows(
        "SELECT release_id, intent_hash, query_hash, plan_hash, question, state, project, analyst, data_version, mode,"
        " rho_nano, delta_atto, policy_hash, planned_slot, not_after, project_ends, due_ms, stored, day, reserved_seq"
        " FROM release"
    )
    releases = [dict(zip(COLUMNS["release"], row, strict=True)) for row in rows]
    if {row["release_id"] for row in releases} != set(entries) or not set(charges) <= set(entries):
        raise _corrupt(len(entries))
    for row in releases:
        release_id, state = row["release_id"], row["state"]
        history = entries[release_id]
        first = history[0]
        kinds = tuple(leaf.kind for leaf in history)
        if state not in _STATES.get(kinds, frozenset()) or row["reserved_seq"] != first.seq:
            raise _corrupt(history[-1].seq)
        if any(leaf.intent_hash != row["intent_hash"] for leaf in history):
            raise _corrupt(first.seq)
        if any(row[name] != getattr(first, name) for name in ("data_version", "mode", "policy_hash", "planned_slot")):
            raise _corrupt(first.seq)
        # A stored answer may be charged nothing, and its entry says so: its row keeps what its intent named.
        amounts = (row["rho_nano"], row["delta_atto"])
        if first.kind == "reserved" and amounts != (first.rho_local_nano, first.delta_atto):
            raise _corrupt(first.seq)
        _check_seal(first, salts, release_id, *(row[name] for name in FIXED))
        _check_charges(first, charges[release_id], state == State.EXPIRED, salts)
        committed = next((leaf for leaf in history if leaf.kind == "committed"), None)
        if committed is not None:
            # One at a time: a vector may be megabytes, and there may be many.
            kept = db.row("SELECT bytes FROM outbox WHERE release_id = ?", (release_id,))
            if history[-1].kind == "erased":
                # What an entry says was erased is not there: nobody brings an answer back.
                if kept is not None:
                    raise _corrupt(history[-1].seq)
            elif kept is None or committed.outbox_hash != hashlib.sha256(kept[0]).hexdigest():
                raise _corrupt(committed.seq)
    _check_stored(db, entries, salts)
    _check_erased(db, entries)


def _check_seal(leaf: Leaf, salts: dict[tuple[str, str], bytes], release_id: str, *facts: str | bytes | int) -> None:
    # Entries of older versions have no seal, and the chain lets nobody take one away.
    if leaf.facts_commitment:
        salt = salts.get(("release", release_id), b"")
        if commitment(salt, "release", hash_of_row(*facts)) != leaf.facts_commitment:
            raise _corrupt(leaf.seq)


def _check_stored(db: Database, entries: dict[str, list[Leaf]], salts: dict[tuple[str, str], bytes]) -> None:
    """What would be given again to who asks again is the vector that was committed, of that question and those data."""
    for release_id, question, data_version in db.rows("SELECT release_id, question, data_version FROM stored_answer"):
        about = db.row("SELECT question, data_version FROM release WHERE release_id = ?", (release_id,))
        history = entries.get(release_id, [])
        committed = next((leaf for leaf in history if leaf.kind == "committed"), None)
        vector = db.row("SELECT vector FROM stored_answer WHERE question = ?", (question,))
        if about != (question, data_version) or committed is None or vector is None:
            raise _corrupt(history[-1].seq if history else 0)
        _check_seal(committed, salts, release_id, vector[0])


def _check_erased(db: Database, entries: dict[str, list[Leaf]]) -> None:
    said = {release_id: history[-1].seq for release_id, history in entries.items() if history[-1].kind == "erased"}
    known = db.version >= FIRST_WITH_ERASURES
    rows = db.rows("SELECT release_id, question, seq FROM erased") if known else []
    found = {release_id: seq for release_id, _, seq in rows}
    if found != said:
        raise _corrupt(max({*found.values(), *said.values()}))
    questions = dict(db.rows("SELECT release_id, question FROM release")) if rows else {}
    kept = {row[0] for row in db.rows("SELECT release_id FROM stored_answer")} if rows else set()
    for release_id, question, seq in rows:
        if questions[release_id] != question or release_id in kept:
            raise _corrupt(seq)


def _check_charges(
    leaf: Leaf, charges: list[tuple[str, str, int, int, int]], refunded: bool, salts: dict[tuple[str, str], bytes]
) -> None:
    named: dict[str, list[str]] = {"node-wide": [], "dataset": [], "project": [], "analyst": [], "profiles": []}
    for scope, subject, rho, delta, back in charges:
        if (rho, delta, bool(back)) != (leaf.rho_local_nano, leaf.delta_atto, refunded) or scope not in named:
            raise _corrupt(leaf.seq)
        if scope != "node-wide" and (scope, subject) not in salts:
            raise _corrupt(leaf.seq)
        named[scope].append("" if scope == "node-wide" else commitment(salts[scope, subject], scope, subject))
    wanted = (
        [""] if leaf.kind == "reserved" else [],
        list(leaf.dataset_commitments),
        [leaf.project_commitment] if leaf.project_commitment else [],
        [leaf.analyst_commitment] if leaf.analyst_commitment else [],
        [leaf.profiles_commitment] if leaf.profiles_commitment else [],
    )
    found = (named["node-wide"], sorted(named["dataset"]), named["project"], named["analyst"], named["profiles"])
    if found != wanted:
        raise _corrupt(leaf.seq)

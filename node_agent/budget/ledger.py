"""The budget ledger on SQLite: reserve, spend, refund, and an entry in the hash chain for each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from node_agent.budget.alarms import Alarms
from node_agent.budget.book import Book
from node_agent.budget.cosigned import KeptHeads, keep_cosigned, keep_pair
from node_agent.budget.decisions import Decided, Decisions
from node_agent.budget.entries import Transaction
from node_agent.budget.exhausting import exhaust, settle
from node_agent.budget.port import REPEAT_SECONDS, SHARED, Release, Reservation, ScopeLimit
from node_agent.budget.reader import DAY, LedgerReader
from node_agent.budget.rows import COLUMNS, FIXED
from node_agent.budget.states import VALID_TRANSITIONS, State
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret
from trustquery.log.leaf import Kind

__all__ = ["SqliteLedger"]

_AMOUNTS_END = 2**63
"""What a column of the file can hold ends before it."""
_DOCUMENTS: dict[str, Kind] = {
    "roster": "roster",
    "permit": "permit",
    "acceptance": "acceptance",
    "optouts": "optouts",
    "root": "root",
    "revocations": "revocations",
}


class SqliteLedger(LedgerReader):
    """The one implementation of ``node_agent.budget.port.Ledger``.

    Opening verifies the file, the hash chain and every sum before anything is answered. One process at a time.

    Args:
        path: the database file; made when it is absent.

    Attributes:
        book: what governance decided.
        kept_heads: what this node cosigned for other logs.

    Raises:
        TrustQueryError: ``config-sqlite-version``, ``ledger-corrupt``, ``ledger-locked``, ``ledger-unwritable``.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, write=True)
        self.book = Book(self._entries)
        self._decisions = Decisions(self._entries)
        self._alarms = Alarms(self._entries)
        self.kept_heads = KeptHeads(self._entries)

    def record(self, decided: Decided, now: int) -> None:
        """Keep the input of a decision of the policy, durably.

        Raises:
            TrustQueryError: ``ledger-unwritable``.
        """
        self._decisions.record(decided, now)

    def reserve(self, reservation: Reservation, now: int) -> tuple[Release, bool]:
        """Check every cap and charge, in one transaction; the flag says whether this call made the release.

        Raises:
            TrustQueryError: ``budget-exhausted`` naming the scope, ``budget-charge-mismatch`` for an amount that is
                none, ``node-release-conflict``, ``ledger-unwritable``.
        """
        _check_amounts(reservation)
        with self._entries.writing(now) as transaction:
            known = self.find(reservation.release_id)
            if known is not None:
                if known.intent_hash != reservation.intent_hash:
                    raise TrustQueryError("node-release-conflict")
                return known, False
            day = transaction.now // DAY
            charged = [item for item in reservation.scopes if self._owes(reservation, item)]
            for item in charged:
                self._check_cap(item, reservation, now)
            kind: Kind = "stored" if reservation.stored else "reserved"
            row = _release_row(reservation, day)
            seal = transaction.seal("release", reservation.release_id, *(row[name] for name in FIXED))
            fields = _charge_fields(transaction, reservation, charged)
            leaf = transaction.append(kind, **fields, facts_commitment=seal)
            row |= {"state": str(State.RESERVED), "reserved_seq": leaf.seq}
            transaction.run(
                "INSERT INTO release (release_id, intent_hash, query_hash, plan_hash, question, state, project,"
                " analyst, data_version, mode, rho_nano, delta_atto, policy_hash, planned_slot, not_after,"
                " project_ends, due_ms, stored, day, reserved_seq) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                tuple(row[name] for name in COLUMNS["release"]),
            )
            for item in charged:
                charge = (
                    reservation.release_id,
                    item.scope,
                    item.subject,
                    reservation.rho_nano,
                    reservation.delta_atto,
                )
                transaction.run(
                    "INSERT INTO charge (release_id, scope, subject, rho_nano, delta_atto, day)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (*charge, day),
                )
            return self.found(reservation.release_id), True

    def start(self, release_id: str, now: int) -> None:
        """RESERVED → STARTED: from here the charge is never given back. A stored answer never starts."""
        with self._entries.writing(now) as transaction:
            release = self._step(transaction, release_id, State.STARTED)
            if release.stored:
                raise TrustQueryError("ledger-state", found="a stored answer", wanted=State.STARTED)
            transaction.append("started", **_about(release))

    def commit(self, release_id: str, outbox: bytes, vector: bytes, now: int, *, held: bool = False) -> None:
        """STARTED (or RESERVED, for a stored answer) → COMMITTED with the exact bytes to send; → HELD for a review."""
        with self._entries.writing(now) as transaction:
            release = self._step(transaction, release_id, State.COMMITTED)
            if release.state is State.RESERVED and not release.stored:
                raise TrustQueryError("ledger-state", found=release.state, wanted=State.COMMITTED)
            transaction.append(
                "committed",
                **_about(release),
                outbox_hash=hashlib.sha256(outbox).hexdigest(),
                facts_commitment=transaction.seal("release", release_id, vector),
            )
            transaction.run(
                "INSERT INTO outbox (release_id, bytes, state) VALUES (?, ?, 'ready')", (release_id, outbox)
            )
            transaction.run(
                "INSERT INTO stored_answer (question, release_id, data_version, vector)"
                " SELECT question, release_id, data_version, ? FROM release WHERE release_id = ?"
                " ON CONFLICT (question) DO NOTHING",
                (vector, release_id),
            )
            if held:
                self._step(transaction, release_id, State.HELD)

    def expire(self, release_id: str, now: int) -> None:
        """RESERVED → EXPIRED, refunded: nothing was read."""
        with self._entries.writing(now) as transaction:
            release = self._step(transaction, release_id, State.EXPIRED)
            reserved = self._entries.leaf(release.reserved_seq)
            taken_back = reserved.model_dump(
                include={
                    "dataset_commitments",
                    "project_commitment",
                    "analyst_commitment",
                    "profiles_commitment",
                    "rho_sum_nano",
                    "rho_local_nano",
                }
            )
            transaction.append("expired", **_about(release), **taken_back, delta_atto=reserved.delta_atto)
            transaction.run("UPDATE charge SET refunded = 1 WHERE release_id = ?", (release_id,))

    def die(self, release_id: str, now: int) -> None:
        """STARTED → DEAD: stays charged, never runs again."""
        self._move(release_id, State.DEAD, "dead", now)

    def withhold(self, release_id: str, now: int) -> None:
        """COMMITTED, HELD or WITNESSED → WITHHELD: stays charged, never sent."""
        self._move(release_id, State.WITHHELD, "withheld", now)

    def witnessed(self, release_id: str, now: int) -> None:
        """COMMITTED or HELD → WITNESSED."""
        self._move(release_id, State.WITNESSED, None, now)

    def sent(self, release_id: str, now: int) -> None:
        """WITNESSED → SENT (DEAD and EXPIRED stay): the bytes are handed to the stream."""
        with self._entries.writing(now) as transaction:
            if self.found(release_id).state not in (State.DEAD, State.EXPIRED, State.SENT):
                self._step(transaction, release_id, State.SENT)
            transaction.run("UPDATE outbox SET state = 'sent' WHERE release_id = ? AND state = 'ready'", (release_id,))

    def acknowledged(self, release_id: str) -> None:
        """The coordinator holds the bytes; they need not be sent again. Unknown ids are ignored."""
        with self._entries.writing(0) as transaction:
            transaction.run(
                "UPDATE outbox SET state = 'acknowledged' WHERE release_id = ? AND state = 'sent'", (release_id,)
            )

    def put_outbox(self, release_id: str, content: bytes, now: int) -> bytes:
        """Keep the no-answer of a DEAD or EXPIRED release; returns the bytes in force, the first ever kept."""
        with self._entries.writing(now) as transaction:
            release = self.found(release_id)
            if release.state not in (State.DEAD, State.EXPIRED):
                raise TrustQueryError("ledger-state", found=release.state, wanted="no answer")
            transaction.run(
                "INSERT INTO outbox (release_id, bytes, state) VALUES (?, ?, 'ready') ON CONFLICT DO NOTHING",
                (release_id, content),
            )
            kept = self.outbox(release_id)
        return content if kept is None else kept

    def erase(self, days: int, now: int, *, most: int = 20) -> tuple[str, ...]:
        """Erase the bytes and vectors of answers that are older than ``days`` days and can be sent no more.

        In one transaction with their entries, so that a crash leaves each of them whole or erased.
        """
        with self._db.lock:
            now = self.time(now)
            due = self._db.rows(
                "SELECT release_id, question FROM release WHERE state IN ('SENT', 'WITHHELD') AND day <= ?"
                " AND not_after < ? AND release_id NOT IN (SELECT release_id FROM erased)"
                " ORDER BY reserved_seq LIMIT ?",
                (now // DAY - days, now - REPEAT_SECONDS, most),
            )
            if not due:
                return ()
            with self._entries.writing(now) as transaction:
                for release_id, question in due:
                    leaf = transaction.append("erased", **_about(self.found(release_id)))
                    transaction.run("DELETE FROM outbox WHERE release_id = ?", (release_id,))
                    transaction.run("DELETE FROM stored_answer WHERE release_id = ?", (release_id,))
                    transaction.run(
                        "INSERT INTO erased (release_id, question, day, seq) VALUES (?, ?, ?, ?)",
                        (release_id, question, now // DAY, leaf.seq),
                    )
            self._db.empty_journal()
        return tuple(release_id for release_id, _ in due)

    def recover(self, now: int) -> tuple[Release, ...]:
        """What a restart does first: RESERVED → EXPIRED, STARTED → DEAD. Returns the releases so ended."""
        with self._db.lock:
            unfinished = self._releases("SELECT release_id FROM release WHERE state IN ('RESERVED', 'STARTED')")
            for release in unfinished:
                (self.expire if release.state is State.RESERVED else self.die)(release.release_id, now)
            return tuple(self.found(release.release_id) for release in unfinished)

    def note_refusal(self, release_id: str, intent_hash: str, policy_hash: str, now: int) -> None:
        """Enter a refusal in the log."""
        with self._entries.writing(now) as transaction:
            transaction.append("refused", release_id=release_id, intent_hash=intent_hash, policy_hash=policy_hash)

    def note_alarm(self, code: str, place: str, data: bytes, now: int, *, once: bool) -> None:
        """Enter in the log that the coordinator sent what no honest one sends."""
        self._alarms.note(code, place, data, now, once=once)

    def note_opened(self, now: int) -> None:
        """Enter that this process begins to show its head to witnesses: a head that no other copy ever has."""
        with self._entries.writing(now) as transaction:
            transaction.append("opened", facts_commitment=new_secret(32).hex())

    def keep_cosigned(self, size: int, note: bytes, now: int) -> None:
        """Keep a head with the cosignatures of its quorum."""
        with self._entries.writing(now) as transaction:
            keep_cosigned(transaction, size, note)

    def freeze(self, ours: bytes, theirs: bytes, now: int) -> None:
        """Note for good that another life of this ledger was cosigned: both heads are the proof."""
        with self._entries.writing(now) as transaction:
            keep_pair(transaction, "frozen", ours, theirs)
        self.note_alarm("ledger-frozen", "ledger", theirs, now, once=True)

    def repair(self, theirs: bytes, order: str, scopes: Sequence[ScopeLimit], now: int) -> None:
        """Settle a head that froze this ledger, as two people ordered.

        Args:
            order: hash of what they signed.
            scopes: whose budget is exhausted, because entries were lost; none where none were.
        """
        with self._entries.writing(now) as transaction:
            left = [(item, self.spent(item.scope, item.subject, transaction.now)) for item in scopes]
            exhaust(transaction, left, order)
            settle(transaction, theirs, order)

    def note_refresh(self, data_version: int, now: int) -> None:
        """Enter a new data version in the log, once."""
        with self._db.lock:
            row = self._db.row("SELECT value FROM meta WHERE name = 'data_version'")
            if row is not None and row[0] >= data_version:
                return
            with self._entries.writing(now) as transaction:
                transaction.append("refresh", data_version=data_version)
                transaction.run(
                    "INSERT INTO meta (name, value) VALUES ('data_version', ?)"
                    " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    (data_version,),
                )

    def see(self, kind: str, name: str, version: int, sha256: str, now: int) -> None:
        """Note the version of a federation's document, an acceptance or the opt-outs of a data version, once.

        Policies are in the book.

        Raises:
            TrustQueryError: ``policy-document-stale``: older than one already seen, or another text of that version.
        """
        with self._db.lock:
            row = self._db.row("SELECT version, sha256 FROM seen_version WHERE kind = ? AND name = ?", (kind, name))
            if row is not None and row == (version, sha256):
                return
            if row is not None and version <= row[0]:
                raise TrustQueryError("policy-document-stale", document=kind)
            with self._entries.writing(now) as transaction:
                transaction.append(_DOCUMENTS[kind], intent_hash=sha256)
                transaction.run(
                    "INSERT INTO seen_version (kind, name, version, sha256) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (kind, name) DO UPDATE SET version = excluded.version, sha256 = excluded.sha256",
                    (kind, name, version, sha256),
                )

    def seen(self, kind: str, name: str) -> tuple[int, str] | None:
        """The newest version seen of a document and its hash, or None."""
        return self.book.seen(kind, name)

    # -- inside a transaction ------------------------------------------------------------------------------------

    def _owes(self, reservation: Reservation, item: ScopeLimit) -> bool:
        if not reservation.stored:
            return True
        if item.scope in SHARED:
            return False
        return not self.seen_by(reservation.question, item.scope, item.subject)

    def _check_cap(self, item: ScopeLimit, reservation: Reservation, now: int) -> None:
        spent, limits = self.spent(item.scope, item.subject, now), item.limits
        sums = (
            (spent.rho_lifetime + reservation.rho_nano, limits.rho_lifetime),
            (spent.delta_lifetime + reservation.delta_atto, limits.delta_lifetime),
            (spent.rho_window + reservation.rho_nano, limits.rho_window),
            (spent.delta_window + reservation.delta_atto, limits.delta_window),
        )
        if any(cap is not None and total > cap for total, cap in sums):
            raise TrustQueryError("budget-exhausted", scope=item.scope)

    def _step(self, transaction: Transaction, release_id: str, wanted: State) -> Release:
        """Change the state where the table allows it; returns the release as it was."""
        release = self.found(release_id)
        if wanted not in VALID_TRANSITIONS[release.state]:
            raise TrustQueryError("ledger-state", found=release.state, wanted=wanted)
        transaction.run("UPDATE release SET state = ? WHERE release_id = ?", (str(wanted), release_id))
        return release

    def _move(self, release_id: str, wanted: State, kind: Kind | None, now: int) -> None:
        with self._entries.writing(now) as transaction:
            release = self._step(transaction, release_id, wanted)
            if kind is not None:
                transaction.append(kind, **_about(release))


def _check_amounts(item: Reservation) -> None:
    # A negative amount would pass every cap and pay the budget back; a float would round.
    if any(type(amount) is not int or not 0 <= amount < _AMOUNTS_END for amount in (item.rho_nano, item.delta_atto)):
        raise TrustQueryError("budget-charge-mismatch")


def _about(release: Release) -> dict[str, Any]:
    return {
        "release_id": release.release_id,
        "intent_hash": release.intent_hash,
        "data_version": release.data_version,
        "mode": release.mode,
        "policy_hash": release.policy_hash,
        "planned_slot": release.planned_slot,
    }


def _charge_fields(transaction: Transaction, item: Reservation, charged: list[ScopeLimit]) -> dict[str, Any]:
    named: dict[str, list[str]] = {"dataset": [], "project": [], "analyst": [], "profiles": []}
    for scope in charged:
        if scope.scope != "node-wide":
            named[scope.scope].append(transaction.commitment(scope.scope, scope.subject))
    rho = item.rho_nano if charged else 0
    return {
        "release_id": item.release_id,
        "intent_hash": item.intent_hash,
        "dataset_commitments": tuple(sorted(named["dataset"])),
        "project_commitment": "".join(named["project"]),
        "analyst_commitment": "".join(named["analyst"]),
        "profiles_commitment": "".join(named["profiles"]),
        "data_version": item.data_version,
        "mode": item.mode,
        "rho_sum_nano": rho,
        "rho_local_nano": rho,
        "delta_atto": item.delta_atto if charged else 0,
        "policy_hash": item.policy_hash,
        "planned_slot": item.planned_slot,
    }


def _release_row(item: Reservation, day: int) -> dict[str, str | int]:
    return {
        "release_id": item.release_id,
        "intent_hash": item.intent_hash,
        "query_hash": item.query_hash,
        "plan_hash": item.plan_hash,
        "question": item.question,
        "project": item.project,
        "analyst": item.analyst,
        "data_version": item.data_version,
        "mode": item.mode,
        "rho_nano": item.rho_nano,
        "delta_atto": item.delta_atto,
        "policy_hash": item.policy_hash,
        "planned_slot": item.planned_slot,
        "not_after": item.not_after,
        "project_ends": item.project_ends,
        "due_ms": item.due_ms,
        "stored": int(item.stored),
        "day": day,
    }

"""What must hold after every step, at each node. The letters are those of the durability page.

I1  What was spent is never less than what was released.
I2  What was spent never falls, but for a release that ended before any data were read.
I3  One release, one byte string, for ever.
I4  Nothing leaves before the spend and the bytes are in the ledger and its head was shown.
I5  Who reads the log alone finds every balance of the node.
I6  After the last fault every accepted query ends, in time and with a reason (``ends.py``).

``NodeBook`` knows what the outside was told and what the ledger said when a call had returned. Nothing in it is
forgotten when the node dies.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from node_agent.budget.port import ScopeName
from node_agent.budget.states import VALID_TRANSITIONS, State
from tests.simulation.auditor import Auditor, root_of
from tests.simulation.heard import Said
from trustquery.log import Checkpoint

if TYPE_CHECKING:
    from node_agent.budget import SqliteLedger
    from tests.simulation.history import History

__all__ = ["NodeBook"]


def _reachable() -> dict[str, frozenset[str]]:
    found = {}
    for first in State:
        seen, new = {first}, [first]
        while new:
            for after in VALID_TRANSITIONS[new.pop()]:
                if after not in seen:
                    seen.add(after)
                    new.append(after)
        found[str(first)] = frozenset(map(str, seen))
    return found


_LATER = _reachable()


@dataclass
class _Known:
    """A release as the ledger last said it."""

    state: str
    stored: bool
    rho: int
    charges: dict[tuple[str, str], int]
    box: str = ""


class NodeBook:
    """One node, over all its lives.

    Attributes:
        shown: releases whose slot was shown, in whatever life.
    """

    def __init__(self, history: History, node: str) -> None:
        self._history = history
        self._node = node
        self.known: dict[str, _Known] = {}
        self.sent: dict[str, tuple[str, str]] = {}
        self.vectors: set[str] = set()
        self.shown: set[str] = set()
        self._auditor = Auditor()
        self._lost = False

    def wrong(self, law: str, what: str) -> None:
        """An invariant is broken."""
        self._history.wrong(f"{law} at {self._node}: {what}")

    # -- what leaves ---------------------------------------------------------------------------------------------

    def said(self, message: Said, ledger: SqliteLedger) -> None:
        """A whole answer left the node."""
        self._history.counts["said"] += 1
        release_id, short = message.release_id, message.release_id[:8]
        known, box = ledger.find(release_id), ledger.outbox(release_id)
        if message.status == "refused" and (box is None or hashlib.sha256(box).hexdigest() != message.sha256):
            # Decided before anything was reserved, or about another question: it holds nothing of a release, and when
            # the same offer comes again it may be decided anew.
            return
        before = self.sent.setdefault(release_id, (message.sha256, message.status))
        if before[0] != message.sha256:
            self.wrong("I3", f"{short} left as {before[1]} and as {message.status}, in other bytes")
        if message.status == "refused":
            return
        if known is None:
            self.wrong("I4", f"{short} left and is not in the ledger")
            return
        if box is None:
            self.wrong("I4", f"{short} left before its bytes were kept")
        if release_id not in self.shown:
            self.wrong("I4", f"{short} left before its head was shown")
        last, history = self._auditor.last.get(release_id, 0), self._history
        if history.script.witnessed and not history.witnesses.covers(self._node, last, self._auditor.hashes):
            self.wrong("I4", f"{short} left before a quorum had cosigned entry {last}")
        if message.vector:
            self.vectors.add(release_id)
            if self._auditor.committed.get(release_id) is None:
                self.wrong("I4", f"{short} left and was never committed")
        self._spent(ledger, saying=True)

    # -- what the ledger says -------------------------------------------------------------------------------------

    def restarted(self, ledger: SqliteLedger) -> None:
        """A new life of the node has opened its ledger: nothing it had said may be gone."""
        self._auditor = Auditor()
        self.look(ledger)

    def forget(self) -> None:
        """The disk was put back: what the ledger had said is gone, and what had left is not."""
        self.known, self._lost = {}, True

    def look(self, ledger: SqliteLedger) -> None:
        """A call of the ledger has returned."""
        rows = ledger._db.rows
        releases = rows("SELECT release_id, state, stored, rho_nano FROM release")
        charges: dict[str, dict[tuple[str, str], int]] = {}
        for release_id, scope, subject, rho, refunded in rows(
            "SELECT release_id, scope, subject, rho_nano, refunded FROM charge"
        ):
            if not refunded:
                charges.setdefault(release_id, {})[scope, subject] = rho
        boxes = {name: hashlib.sha256(data).hexdigest() for name, data in rows("SELECT release_id, bytes FROM outbox")}
        found = {
            name: _Known(state, bool(stored), rho, charges.get(name, {}), boxes.get(name, ""))
            for name, state, stored, rho in releases
        }
        for name, earlier in self.known.items():
            self._moved(name, earlier, found.get(name))
        self.known = found
        self._audit(ledger)
        self._spent(ledger)

    def _moved(self, name: str, earlier: _Known, now: _Known | None) -> None:
        short = name[:8]
        if now is None:
            self.wrong("I2", f"{short} was {earlier.state} and is gone")
            return
        if now.state not in _LATER[earlier.state]:
            self.wrong("I2", f"{short} was {earlier.state} and is {now.state}")
        if now.charges != earlier.charges and now.state != "EXPIRED":
            self.wrong("I2", f"the charges of {short} were {earlier.charges} and are {now.charges}")
        if earlier.box and now.box != earlier.box:
            self.wrong("I3", f"the bytes kept of {short} changed")

    def _spent(self, ledger: SqliteLedger, *, saying: bool = False) -> None:
        """I1, and that what the ledger counts is what was charged, whatever the clock says.

        A disk that was put back has lost charges of what had left: nothing more may leave then.
        """
        charged: dict[tuple[str, str], int] = {}
        for known in self.known.values():
            for subject, rho in known.charges.items():
                charged[subject] = charged.get(subject, 0) + rho
        fresh = [self.known[name] for name in self.vectors if name in self.known and not self.known[name].stored]
        released = sum(known.rho for known in fresh)
        if (saying or not self._lost) and charged.get(("node-wide", ""), 0) < released:
            self.wrong("I1", f"released {released}, spent {charged.get(('node-wide', ''), 0)}")
        for name in self.vectors if saying or not self._lost else ():
            kept = self.known.get(name)
            if kept is None or kept.state == "EXPIRED" or (not kept.stored and not kept.charges):
                self.wrong("I1", f"{name[:8]} was released and is not charged")
        now = self._history.wall(self._node)
        for (scope, name), rho in charged.items():
            counted = ledger.spent(cast(ScopeName, scope), name, now)
            if (counted.rho_lifetime, counted.rho_window) != (rho, rho):
                self.wrong("I2", f"{scope} {name} was charged {rho}, the ledger counts {counted}")

    # -- what the log says ----------------------------------------------------------------------------------------

    def _audit(self, ledger: SqliteLedger) -> None:
        auditor = self._auditor
        for (payload,) in ledger._db.rows("SELECT payload FROM leaf WHERE seq > ? ORDER BY seq", (auditor.read,)):
            auditor.take(bytes(payload))
        for text in auditor.wrong:
            self.wrong("I5", text)
        auditor.wrong.clear()
        if auditor.read != ledger.size():
            self.wrong("I5", f"the log has {auditor.read} entries, the tree {ledger.size()}")
        salts = {(s, n): bytes(v) for s, n, v in ledger._db.rows("SELECT scope, subject, salt FROM salt")}
        balances: dict[str, int] = {}
        for known in self.known.values():
            for (scope, subject), rho in known.charges.items():
                name = "" if scope == "node-wide" else _commitment(salts.get((scope, subject), b""), scope, subject)
                balances[name] = balances.get(name, 0) + rho
        read = {name: rho for name, rho in auditor.spent.items() if rho}
        if read != balances:
            self.wrong("I5", f"the log adds up to {read}, the node says {balances}")

    def extends(self, head: Checkpoint) -> bool:
        """Whether the log begins with the one of which this is the head."""
        hashes = self._auditor.hashes
        return head.size <= len(hashes) and root_of(hashes[: head.size]) == head.root

    def whole(self, ledger: SqliteLedger) -> None:
        """At the end: a second auditor reads everything, and finds the very tree that the node shows."""
        self._auditor = Auditor()
        self._audit(ledger)
        if root_of(self._auditor.hashes) != ledger.head("audit", ledger.size()).root:
            self.wrong("I5", "the tree is another one")


def _commitment(salt: bytes, scope: str, subject: str) -> str:
    return hmac.new(salt, scope.encode() + b"\x00" + subject.encode(), hashlib.sha256).hexdigest()

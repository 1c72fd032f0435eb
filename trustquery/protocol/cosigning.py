"""A log gathers the cosignatures of its witnesses: replies and time in, requests out; no socket, no clock, no disk.

One head at a time is carried to its quorum, and only then the newest one after it. Every witness is asked by itself,
because each may have seen another head last. Whoever carries the messages is believed in nothing: a line counts when it
verifies, and a head that a witness is said to have kept when the log itself signed it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from trustquery.errors import TrustQueryError
from trustquery.log.checkpoint import Checkpoint
from trustquery.log.cosignature import cosigners, with_lines
from trustquery.protocol.messages import Cosignature, WitnessRequest

__all__ = ["RETRY_SECONDS", "Believed", "Collector", "Effects", "Forged", "History", "Wanted"]

RETRY_SECONDS = 1.0
"""How long a witness has to reply before it is asked again."""
_CORRECTIONS = 3
"""How often a witness may name another old size for one head before the next try waits."""


class History(Protocol):
    """The log's own tree."""

    def size(self) -> int:
        """Number of entries."""
        ...

    def root(self, size: int) -> bytes:
        """The root over the first ``size`` entries."""
        ...

    def proof(self, old: int, size: int) -> tuple[bytes, ...]:
        """Proof that the first ``size`` entries extend the first ``old``."""
        ...


@dataclass(frozen=True)
class Believed:
    """One witness.

    Attributes:
        line: the name in its signature lines.
        key: 32 raw bytes; None where nobody vouches for a key of this name now: it counts as silent.
    """

    line: str
    key: bytes | None


@dataclass(frozen=True)
class Wanted:
    """Who must have cosigned.

    Attributes:
        witnesses: by the name that the policy gives.
        quorum: how many of them.
    """

    witnesses: Mapping[str, Believed]
    quorum: int


@dataclass(frozen=True)
class Forged:
    """Somebody sent what no honest witness and no honest carrier sends."""

    code: str
    witness: str
    data: bytes


@dataclass
class Effects:
    """What is to be done.

    Attributes:
        asks: requests to send.
        cosigned: the head that has just reached its quorum, with the lines; b"" for none.
        size: of that head.
        seconds: how long it took.
        forged: what was sent that cannot be.
        fork: a head of this log, signed by its own key, that the log as it is here does not extend.
    """

    asks: list[WitnessRequest] = field(default_factory=list)
    cosigned: bytes = b""
    size: int = 0
    seconds: float = 0.0
    forged: list[Forged] = field(default_factory=list)
    fork: bytes = b""


@dataclass(frozen=True)
class _Open:
    witness: str
    note: bytes
    size: int
    at: float


class Collector:
    """Gathers cosignatures of one log's heads.

    Args:
        origin: the log's name.
        public: its key, 32 raw bytes.
        history: its tree.
        new_id: 32 fresh random bytes for a request.
    """

    def __init__(
        self, origin: str, public: bytes, wanted: Wanted, history: History, new_id: Callable[[], bytes]
    ) -> None:
        self.wanted = wanted
        self._origin = origin
        self._public = public
        self._history = history
        self._new_id = new_id
        self._shown = b""
        self._shown_size = 0
        self._target = b""
        self._target_size = 0
        self._began = 0.0
        self._lines: dict[str, bytes] = {}
        self._corrected: dict[str, int] = {}
        self._known: dict[str, int] = {}
        self._asked: dict[str, float] = {}
        self._open: dict[bytes, _Open] = {}
        self.cosigned = 0
        """Size of the newest head with a quorum; 0 before the first."""

    @property
    def signed(self) -> frozenset[str]:
        """Witnesses that have cosigned the head that is being carried now."""
        return frozenset(self._lines)

    def show(self, note: bytes, size: int, now: float) -> Effects:
        """A head that may be seen outside; an earlier one than was shown before is passed over."""
        effects = Effects()
        if size > self._shown_size:
            self._shown, self._shown_size = note, size
            # After a restart the head that is carried may be older than what a witness has signed in an earlier life:
            # that one cannot sign it any more, and the newest may be shown only now.
            if not self._target or max(self._known.values(), default=0) > self._target_size:
                self._begin(now, effects)
        return effects

    def renew(self, now: float) -> Effects:
        """A new stream: what was under way on the old one will not be answered."""
        effects = Effects()
        self._open.clear()
        self._corrected.clear()
        self._ask_all(now, effects)
        return effects

    def tick(self, now: float) -> Effects:
        """Ask again whoever has not answered in time."""
        effects = Effects()
        for request_id, asked in list(self._open.items()):
            if now - asked.at >= RETRY_SECONDS:
                del self._open[request_id]
        waiting = {asked.witness for asked in self._open.values()}
        for name in self.wanted.witnesses:
            if name not in waiting and now - self._asked.get(name, -RETRY_SECONDS) >= RETRY_SECONDS:
                self._corrected.pop(name, None)
                self._ask(name, now, effects)
        return effects

    def heard(self, reply: Cosignature, now: float) -> Effects:
        """A reply; one to no request that is open now is passed over, as a replayed one is."""
        effects = Effects()
        asked = self._open.pop(reply.request_id, None)
        if asked is None:
            return effects
        if reply.cosignature:
            self._signed(asked, reply.cosignature, now, effects)
        elif reply.kept:
            self._told(asked, reply.kept, now, effects)
        return effects

    # -- one head ------------------------------------------------------------------------------------------------

    def _begin(self, now: float, effects: Effects) -> None:
        self._target, self._target_size, self._began = self._shown, self._shown_size, now
        self._lines.clear()
        self._corrected.clear()
        self._ask_all(now, effects)

    def _ask_all(self, now: float, effects: Effects) -> None:
        for name in self.wanted.witnesses:
            self._ask(name, now, effects)

    def _ask(self, name: str, now: float, effects: Effects) -> None:
        old = self._known.get(name, 0)
        if not self._target or name in self._lines or self.wanted.witnesses[name].key is None:
            return
        if old > self._target_size:
            return
        request_id = self._new_id()
        self._open[request_id] = _Open(name, self._target, self._target_size, now)
        self._asked[name] = now
        proof = self._history.proof(old, self._target_size)
        effects.asks.append(WitnessRequest(request_id, self._origin, old, self._target, proof, name))

    def _signed(self, asked: _Open, line: bytes, now: float, effects: Effects) -> None:
        believed = self.wanted.witnesses[asked.witness]
        try:
            whole = with_lines(asked.note, [line])
            right = believed.key is not None and believed.line in cosigners(whole, {believed.line: believed.key})
        except TrustQueryError:
            right = False
        if not right:
            effects.forged.append(Forged("witness-line", asked.witness, line))
            return
        self._known[asked.witness] = max(asked.size, self._known.get(asked.witness, 0))
        if asked.note != self._target:
            return
        self._lines[asked.witness] = line
        if len(self._lines) < self.wanted.quorum:
            return
        effects.cosigned, effects.size = with_lines(self._target, self._lines.values()), self._target_size
        effects.seconds = now - self._began
        self.cosigned, self._target = self._target_size, b""
        if self._shown_size > self.cosigned:
            self._begin(now, effects)

    def _told(self, asked: _Open, kept: bytes, now: float, effects: Effects) -> None:
        """A witness has kept another head than it was asked from: it is this log's, or a lie."""
        name = asked.witness
        try:
            head = Checkpoint.verify(kept, self._origin, self._public)
        except TrustQueryError:
            effects.forged.append(Forged("witness-kept", name, kept))
            return
        if head.size > self._history.size() or self._history.root(head.size) != head.root:
            # Nobody but this node's key signs its heads: this one is of another life of the same ledger.
            effects.fork = kept
            return
        if head.size < self._known.get(name, 0):
            # An older head than this witness is known to have signed: repeated by whoever carries it.
            return
        self._known[name] = head.size
        self._corrected[name] = self._corrected.get(name, 0) + 1
        if head.size > self._target_size and self._shown_size >= head.size:
            self._begin(now, effects)
        elif self._corrected[name] <= _CORRECTIONS:
            self._ask(name, now, effects)

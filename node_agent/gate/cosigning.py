"""Witnesses of this ledger: nothing leaves before its head has their quorum, and a ledger that went back freezes.

The first head that a process shows holds an entry with random bytes. So no quorum of an earlier life can be repeated to
it, and of two copies of one node the second to show its head meets witnesses that have cosigned the first.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from node_agent.budget.port import Ledger
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey, new_secret
from trustquery.protocol.cosigning import Collector, Effects, Wanted
from trustquery.protocol.messages import Cosignature, Message

__all__ = ["MOST_WAITING", "Cosigning", "FrozenError"]

MOST_WAITING = 32
"""Releases that wait for witnesses at one time; beyond that, new queries are refused before anything is read."""
_LOOK_SECONDS = 0.05


class FrozenError(Exception):
    """Another life of this ledger was cosigned: the release stays where it is, and nothing of it leaves."""


class Cosigning:
    """The quorum of this node's ledger.

    Args:
        origin: the log's name.
        key: signs its heads.
        wanted: who must have cosigned, by the policy in force and the roster; None where the policy does without.
            Raises ``TrustQueryError`` where that cannot be told, and then nothing leaves.
        send: puts a message on the stream; must not block.
        monotonic: seconds; wall: seconds since 1970.
        log: local log of data-independent events.
    """

    def __init__(
        self,
        ledger: Ledger,
        origin: str,
        key: SigningKey,
        wanted: Callable[[], Wanted | None],
        send: Callable[[Message], None],
        monotonic: Callable[[], float],
        wall: Callable[[], int],
        log: Callable[..., None],
    ) -> None:
        self._ledger = ledger
        self._origin = origin
        self._key = key
        self._wanted_now = wanted
        self._send = send
        self._monotonic = monotonic
        self._wall = wall
        self._log = log
        self._lock = threading.RLock()
        self._collector: Collector | None = None
        self._latest = (b"", 0)
        self._opened = 0
        self._confirmed = False
        self._since = 0.0
        self._waiting = 0
        self._problem = ""
        self._frozen = ledger.frozen() is not None

    # -- what the gate asks --------------------------------------------------------------------------------------

    @property
    def frozen(self) -> bool:
        """Whether another life of this ledger was cosigned."""
        return self._frozen

    def covers(self, seq: int) -> bool:
        """Whether a head with a quorum holds the entry with this number, cosigned since this process started.

        Raises:
            FrozenError: the ledger is frozen.
        """
        if self._frozen:
            raise FrozenError
        with self._lock:
            return self._confirmed and self._collector is not None and seq <= self._collector.cosigned

    def admit(self, trust: str, until: float, wait_until: Callable[[float], None]) -> float:
        """Before anything is charged: wait until this ledger is known to be the newest.

        Args:
            until: monotonic seconds; the wait ends then.
            wait_until: waits for a moment, or raises when the node goes down.

        Returns:
            Since when it is known, monotonic seconds.

        Raises:
            TrustQueryError: ``ledger-frozen``; ``policy-witness-unavailable``: no quorum, or too many wait for one.
        """
        while True:
            if self._frozen:
                raise TrustQueryError("ledger-frozen")
            with contextlib.suppress(FrozenError):
                if self.covers(0) and self._waiting < MOST_WAITING:
                    return self._since
            if self._monotonic() >= until or self._waiting >= MOST_WAITING:
                raise TrustQueryError("policy-witness-unavailable", trust=trust)
            wait_until(self._monotonic() + _LOOK_SECONDS)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """One release more waits for its quorum."""
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    # -- what happens --------------------------------------------------------------------------------------------

    def shown(self, note: bytes, size: int) -> None:
        """A head may be seen outside: ask the witnesses to cosign it."""
        with self._lock:
            self._latest = note, size
            if self._collector is not None and not self._frozen:
                self._do(self._collector.show(note, size, self._monotonic()))

    def heard(self, reply: Cosignature) -> None:
        """A witness's reply, or what somebody says is one."""
        with self._lock:
            if self._collector is not None:
                self._do(self._collector.heard(reply, self._monotonic()))

    def connected(self) -> None:
        """A new stream: ask again what was under way."""
        with self._lock:
            if self._collector is not None and not self._frozen:
                self._do(self._collector.renew(self._monotonic()))

    def tick(self, start: Callable[[], None]) -> None:
        """Look at policy and roster, and ask again who has not answered.

        Args:
            start: shows the ledger's head where the process has shown none with its first entry yet.
        """
        try:
            wanted = self._wanted_now()
        except TrustQueryError as error:
            if self._ledger.failed:
                raise
            if error.code != self._problem:
                self._log("no witnesses", code=error.code)
            self._problem = error.code
            return
        self._problem = ""
        with self._lock:
            if wanted is None or self._frozen:
                self._collector, self._confirmed = None, False
                return
            if self._collector is None or self._collector.wanted != wanted:
                # Other witnesses have seen nothing yet: what was cosigned by those before does not count for them.
                self._collector = Collector(self._origin, self._key.public, wanted, self._ledger, _new_id)
                self._confirmed = False
            opening = not self._opened
            if opening:
                self._ledger.note_opened(self._wall())
                self._opened = self._ledger.size()
            again = self._latest if self._latest[1] >= self._opened else None
        if again is None:
            # Outside the lock: showing a head takes the lock of the heads first.
            start()
        with self._lock:
            if self._collector is not None and again is not None:
                self._do(self._collector.show(*again, self._monotonic()))
            if self._collector is not None:
                self._do(self._collector.tick(self._monotonic()))

    # -- what follows from it ------------------------------------------------------------------------------------

    def _do(self, effects: Effects) -> None:
        now = self._wall()
        for forged in effects.forged:
            self._log("cosignature refused", witness=forged.witness, code=forged.code)
            self._ledger.note_alarm(forged.code, f"witness {forged.witness}", forged.data, now, once=True)
        if effects.fork:
            self._freeze(effects.fork, now)
            return
        if effects.cosigned:
            self._ledger.keep_cosigned(effects.size, effects.cosigned, now)
            self._log("cosigned", entries=effects.size, ms=round(effects.seconds * 1_000))
            if not self._confirmed and effects.size >= self._opened:
                self._confirmed, self._since = True, self._monotonic()
        for ask in effects.asks:
            self._send(ask)

    def _freeze(self, theirs: bytes, now: int) -> None:
        self._frozen = True
        size = self._ledger.size()
        ours = self._ledger.head(self._origin, size).sign(self._key)
        self._ledger.freeze(ours, theirs, now)
        self._log("frozen", entries=size)


def _new_id() -> bytes:
    return new_secret(32)

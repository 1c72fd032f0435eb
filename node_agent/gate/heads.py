"""Which ledger head the outside may see.

An entry about a release that has started is made at its slot and held back until that slot is shown, as is one that a
restart found. The head shown is that of the longest prefix in which nothing is held back; it changes at slots only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from node_agent.budget.port import Ledger
from trustquery.identity import SigningKey

__all__ = ["Heads"]


def _nobody(note: bytes, size: int) -> None:
    """Nobody is told."""


class Heads:
    """The published head of a ledger.

    Args:
        origin: the log's name.
        key: signs the checkpoint.
        shown: told of each head that is shown, and of how many entries; it goes to the witnesses.
    """

    def __init__(
        self, ledger: Ledger, origin: str, key: SigningKey, shown: Callable[[bytes, int], None] = _nobody
    ) -> None:
        self._ledger = ledger
        self._origin = origin
        self._key = key
        self._told = shown
        self._lock = threading.Lock()
        self._held: dict[str, int] = {}
        self._note = b""

    def hold(self, release_id: str, size: int | None = None) -> None:
        """From now on show nothing beyond ``size`` entries (by default: those that are there) for this release."""
        with self._lock:
            self._held.setdefault(release_id, self._ledger.size() if size is None else size)

    def slot(self, release_id: str) -> None:
        """The release's slot has come: show what may be shown."""
        with self._lock:
            self._held.pop(release_id, None)
            self._show()

    def start(self) -> None:
        """The process has started and nothing has begun since: what the ledger holds may be shown, but what is held."""
        with self._lock:
            self._show()

    def _show(self) -> None:
        size = min([self._ledger.size(), *self._held.values()])
        self._note = self._ledger.head(self._origin, size).sign(self._key)
        self._told(self._note, size)

    @property
    def note(self) -> bytes:
        """The signed checkpoint of the last slot, b"" before the first."""
        with self._lock:
            return self._note

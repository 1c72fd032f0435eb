"""The stop and pause marks: files that anybody at the trust's machine can make, without the ledger and without a key.

They are looked at anew each time, right before bytes leave. What cannot be looked at stops as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from node_agent.policy_store.files import replace_file
from trustquery.errors import TrustQueryError

__all__ = ["MARKS", "Marked", "Marks"]

Marked = Literal["", "pause", "stop", "unreadable"]
MARKS: tuple[Literal["pause", "stop"], ...] = ("stop", "pause")


class Marks:
    """The marks of one home.

    Args:
        folder: the home's ``control/``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, kind: Literal["pause", "stop"]) -> None:
        """Mark, durably.

        Raises:
            TrustQueryError: ``node-mark-unwritable``.
        """
        try:
            replace_file(self._folder / kind, b"")
        except OSError as error:
            raise TrustQueryError("node-mark-unwritable", path=self._folder / kind) from error

    def clear(self) -> None:
        """Take every mark away. The caller has seen to the signatures."""
        for kind in MARKS:
            (self._folder / kind).unlink(missing_ok=True)

    def found(self) -> Marked:
        """The stronger mark there is; ``unreadable`` where the folder is gone or cannot be looked at."""
        try:
            names = {path.name for path in self._folder.iterdir()}
        except OSError:
            return "unreadable"
        return next((kind for kind in MARKS if kind in names), "")

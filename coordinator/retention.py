"""Results are kept for as long as ``coordinator.toml`` says, and then erased: by age alone.

What is due follows from the store and the clock, so that a crash or a missed day is made up for by the next look, and
looking twice changes nothing. A published release stays until it is withdrawn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from coordinator.config import RetentionSettings
from coordinator.store import Store

__all__ = ["LOOK_SECONDS", "Retention"]

LOOK_SECONDS = 3_600
PAUSE_SECONDS = 0.05
"""Between two parts of a large job, so that people's requests go first."""
DAY = 86_400
_log = structlog.get_logger()


@dataclass(frozen=True)
class Retention:
    """What is due, and doing it.

    Attributes:
        clock: seconds since 1970 UTC.
    """

    store: Store
    settings: RetentionSettings
    clock: Callable[[], int]

    def tick(self) -> None:
        """Erase what is due, each part in one transaction with what says so."""
        now = self.clock()
        before = now - self.settings.results_days * DAY
        number = 0
        while done := self.store.keeping.erase(before, now):
            number += len(done)
            time.sleep(PAUSE_SECONDS)
        copies = self.store.keeping.erase_withdrawn(before)
        inputs = self._inputs(now)
        if number or copies or inputs:
            _log.info("figures-erased", results=number, withdrawn=copies, inputs=inputs)

    def _inputs(self, now: int) -> int:
        """Content of inputs that were withdrawn so long ago: row, hash, decisions and record stay."""
        due = self.store.keeping.withdrawn_inputs(now - self.settings.withdrawn_inputs_days * DAY)
        for name, version in due:
            with self.store.inputs.change(name, now) as change:
                for row in change.versions():
                    if row.version == version:
                        change.forget(row)
                        days = self.settings.withdrawn_inputs_days
                        change.note(row, "erase", "", f"Its content was erased, {days} days after its withdrawal.")
        return len(due)

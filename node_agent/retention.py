"""Answers are kept for as long as ``node.toml`` says, and then erased: by age alone, whatever is in them.

What is due is worked out from the ledger, so that a day missed while the node was down is made up for at the start, and
doing it twice changes nothing. Nothing here can give budget back or answer a release again.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from apscheduler.schedulers.background import BackgroundScheduler

__all__ = ["EVERY_MINUTES", "Erasing", "Retention"]

EVERY_MINUTES = 60
PAUSE_SECONDS = 0.05
"""Between two parts of a large job, so that answers that are due go first."""


class Erasing(Protocol):
    """The one thing that this needs of the ledger."""

    def erase(self, days: int, now: int, *, most: int = 20) -> tuple[str, ...]:
        """Erase some of what is older; returns what was erased, empty when nothing is due."""
        ...


@dataclass
class Retention:
    """The schedule.

    Attributes:
        days: age at which an answer is erased.
        wall: seconds since 1970.
        log: local log; it is told how many were erased.
        failed: told what went wrong: a ledger that cannot be written ends the node.
    """

    ledger: Erasing
    days: int
    wall: Callable[[], int]
    log: Callable[..., None]
    failed: Callable[[BaseException], None]
    _scheduler: Any = None
    _ended: bool = False

    def start(self) -> None:
        """Look at once, and then every hour, in a thread of the scheduler's."""
        self._scheduler = BackgroundScheduler(timezone=datetime.UTC)
        self._scheduler.add_job(
            self.turn, "interval", minutes=EVERY_MINUTES, coalesce=True, max_instances=1,
            misfire_grace_time=None, next_run_time=datetime.datetime.now(datetime.UTC),
        )  # fmt: skip
        self._scheduler.start()

    def stop(self) -> None:
        """Begin nothing more, and wait for the part under way: the ledger is closed next."""
        self._ended = True
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=True)

    def turn(self) -> int:
        """Erase what is due, a part at a time; returns how many answers that were."""
        number = 0
        try:
            while not self._ended and (done := self.ledger.erase(self.days, self.wall())):
                number += len(done)
                time.sleep(PAUSE_SECONDS)
        except Exception as error:
            self.failed(error)
        if number:
            self.log("answers erased", number=number, days=self.days)
        return number

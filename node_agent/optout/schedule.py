"""Requests, replies and refreshes by themselves: whole tables, on a schedule that no query and no figure moves.

What is due is worked out from the runs on record, so that a run missed while the node was down is made up for at the
start. A run that failed is tried again after a pause that doubles. Nothing here holds an answer up: while the list in
force is fresh enough, the gate goes on.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler

from node_agent import preparing
from node_agent.config import Home, NodeConfig
from node_agent.optout.current import open_vault
from node_agent.optout.mesh import Mailbox
from node_agent.optout.records import Ended, Run
from node_agent.optout.vault import Vault
from node_agent.sources.store import Store
from trustquery.errors import TrustQueryError

__all__ = ["JOBS", "Schedule", "ask_again", "next_try"]

JOBS = ("collect", "send", "prepare")
DONE = "done"
FIRST_PAUSE, LONGEST_PAUSE, DAY = 300, 86_400, 86_400
FIRST_AGAIN, MOST_AGAIN = 3_600, 5
"""A refused reply is asked for again an hour after it was sent, then after two; after five at the ordinary pace."""


def next_try(runs: tuple[Run, ...], every: int) -> int:
    """When a job is due again, seconds since 1970; 0 for at once.

    Args:
        runs: the latest, the newest first; one without an end was interrupted, and counts as failed.
        every: seconds between runs that went well.
    """
    if not runs:
        return 0
    failed = next((at for at, run in enumerate(runs) if run.outcome == DONE), len(runs))
    if not failed:
        return runs[0].started + every
    return runs[0].started + min(FIRST_PAUSE << min(failed - 1, 20), LONGEST_PAUSE)


def ask_again(ended: tuple[Ended, ...]) -> int | None:
    """When numbers are sent again because their reply was refused, seconds since 1970; None where that is not so.

    Each request ends with another number, so that a reply that was refused for its last one is believed the next time.

    Args:
        ended: what became of the latest requests, the newest first.
    """
    refused = next((at for at, item in enumerate(ended) if item.state != "refused"), len(ended))
    return ended[0].made + (FIRST_AGAIN << (refused - 1)) if 0 < refused <= MOST_AGAIN else None


@dataclass
class Schedule:
    """The jobs of a running node. Where ``[mesh]`` is missing, only handed-in lists are put in force.

    Attributes:
        wall: seconds since 1970.
        log: local log; it is told a job's name and how it ended, nothing of a list.
    """

    home: Home
    config: NodeConfig
    wall: Callable[[], int]
    log: Callable[..., None]
    _scheduler: Any = None

    def start(self) -> None:
        """Look at once, and then at each pause, in a thread of the scheduler's."""
        if not self.config.nhs_numbers:
            return
        self._scheduler = BackgroundScheduler(timezone=datetime.UTC)
        self._scheduler.add_job(
            self.turn, "interval", minutes=self.config.optout.poll_minutes, coalesce=True, max_instances=1,
            misfire_grace_time=None, next_run_time=datetime.datetime.now(datetime.UTC),
        )  # fmt: skip
        self._scheduler.start()

    def stop(self) -> None:
        """Begin nothing more; what runs ends by itself, and an interrupted refresh goes on at the next start."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)

    def turn(self) -> None:
        """Do what is due. Whatever fails is on record with its code; the list in force stays as it is."""
        try:
            vault = open_vault(self.home, self.config)
        except TrustQueryError as error:
            self.log("opt-outs", job="open", outcome=error.code)
            return
        try:
            with vault.alone():
                if self.config.mesh is not None:
                    mailbox = Mailbox(self.config.mesh, self.home.secret)
                    if any(item.state == "sent" for item in vault.waiting()):
                        self._run(vault, "collect", 0, lambda: self._collect(vault, mailbox))
                    every = self.config.optout.send_every_days * DAY
                    again = ask_again(vault.ended())
                    self._run(vault, "send", every, lambda: self._send(vault, mailbox), again)
                if self._is_new(vault):
                    self._run(vault, "prepare", 0, self._prepare)
        except TrustQueryError as error:
            self.log("opt-outs", job="look", outcome=error.code)
        finally:
            vault.close()

    def _run(self, vault: Vault, job: str, every: int, work: Callable[[], None], sooner: int | None = None) -> None:
        now, runs = self.wall(), vault.runs(job, 30)
        due = next_try(runs, every)
        if sooner is not None and runs and runs[0].outcome == DONE:
            due = min(due, sooner)
        if now < due:
            return
        run, outcome = vault.start_run(job, now), DONE
        try:
            work()
        except TrustQueryError as error:
            outcome = error.code
        except Exception:  # its text may hold a number: the record says that it failed, and nothing of it
            outcome = "internal-fault"
        vault.end_run(run, self.wall(), outcome)
        self.log("opt-outs", job=job, outcome=outcome)

    def _collect(self, vault: Vault, mailbox: Mailbox) -> None:
        found = mailbox.collect(vault, self.wall(), most_percent=self.config.optout.most_percent)
        if found.problems:
            raise TrustQueryError("optout-reply-refused", problem="see the earlier lines")

    def _send(self, vault: Vault, mailbox: Mailbox) -> None:
        begun = preparing.request(self.home, self.config, self.wall())
        [request] = (item for item in vault.waiting() if item.id == begun)
        try:
            mailbox.send(vault, request)
        except BaseException:
            # The next try asks about the people of its own moment.
            vault.settle(request.id, "replaced")
            raise

    def _is_new(self, vault: Vault) -> bool:
        """Whether a list in force here is not in the data version in use."""
        applied: dict[str, Any] = {}
        with contextlib.suppress(TrustQueryError):
            applied = dict(Store.open(self.home.store).opt_outs)
        lists = {item.dataset: vault.used(item.dataset) for item in self.config.nhs_numbers}
        return any(
            "national" in {used.kind for used in found} and applied.get(dataset) != found
            for dataset, found in lists.items()
        )

    def _prepare(self) -> None:
        preparing.prepare(self.home, self.config)

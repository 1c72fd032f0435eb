"""A disk that breaks: each write and each sync of a life fails in turn, with an input/output error or a full disk.

From the failing call on the ledger must refuse everything, and say so; a start on a mended disk must find everything
whose call had returned. (LED-03)
"""

from __future__ import annotations

import random
from pathlib import Path

import apsw

from node_agent.budget import SqliteLedger
from tests.torture.disk import Fault, Recorder, recording
from tests.torture.power import Outcome, scratch
from tests.torture.workload import REOPEN, Facts, Life, facts_of, open_ledger
from trustquery.errors import TrustQueryError

__all__ = ["KINDS", "break_disk", "calls_to_disk", "chosen"]

KINDS: dict[str, type[apsw.Error]] = {"EIO": apsw.IOError, "ENOSPC": apsw.FullError}
_EMPTY = Facts(frozenset(), (), 0)


class _Run:
    """One life until the disk breaks."""

    def __init__(self, seed: int, calls: int) -> None:
        self._life, self._calls = Life(seed), calls
        self.facts = _EMPTY
        self.failed_in = ""
        self.wrong = ""

    def live(self, disk: Recorder, fault: Fault, folder: Path) -> None:
        """Call after call, until one fails; ``failed_in`` names it."""
        disk.fault = fault
        ledger: SqliteLedger | None = None
        method = "open"
        try:
            ledger = open_ledger(folder)
            self.facts = facts_of(ledger, [])
            stream = self._life.calls()
            for _ in range(self._calls):
                call, expected = next(stream)
                method = call.method
                if method == REOPEN:
                    ledger.close()
                    if fault.struck:
                        self.failed_in = "close"
                        return
                    ledger = open_ledger(folder)
                else:
                    found = call.on(ledger)
                    if fault.struck:
                        self.failed_in = method
                        self._check_refusing(ledger, found)
                        return
                    if found != expected:
                        self.wrong = f"{method} gave {found}, the reference {expected}"
                        return
                self.facts = facts_of(ledger, self._life.releases)
        except TrustQueryError as error:
            self.failed_in = method
            if not fault.struck or error.code not in ("ledger-unwritable", "ledger-corrupt"):
                self.wrong = f"{method}: {error.code}"
        finally:
            if ledger is not None:
                ledger.close()

    def _check_refusing(self, ledger: SqliteLedger, found: str) -> None:
        if found != "ledger-unwritable" or not ledger.failed:
            # A checkpoint after the commit may fail on its own: then the call had done its work.
            if found == "done" and not ledger.failed:
                self.facts = facts_of(ledger, self._life.releases)
                return
            self.wrong = f"{self.failed_in} said {found}; failed is {ledger.failed}"
            return
        for refused in ("note_refusal", "recover"):
            arguments = ("0" * 64, "", "", 0) if refused == "note_refusal" else (0,)
            try:
                getattr(ledger, refused)(*arguments)
            except TrustQueryError as error:
                if error.code == "ledger-unwritable":
                    continue
            self.wrong = f"after a failed write {refused} was done"

    def next_facts(self, ledger: SqliteLedger) -> Facts:
        """What the file holds now."""
        return facts_of(ledger, self._life.releases)


def calls_to_disk(seed: int, calls: int) -> int:
    """How many writes, truncations, syncs and deletions a life makes."""
    fault = Fault(10**9, apsw.IOError)
    with scratch() as folder, recording() as disk:
        _Run(seed, calls).live(disk, fault, folder)
    return fault.seen


def break_disk(seed: int, calls: int, at: int, kind: str) -> Outcome:
    """Break the disk at one of its calls, then mend it and start again."""
    outcome = Outcome(cuts=1)
    run, fault = _Run(seed, calls), Fault(at, KINDS[kind])
    where = f"life {seed}, {kind} at {at}"
    with scratch() as folder:
        with recording() as disk:
            run.live(disk, fault, folder)
        if run.wrong:
            outcome.wrong(f"{where}: {run.wrong}")
        if not fault.struck:
            return outcome
        try:
            ledger = open_ledger(folder)
        except TrustQueryError as error:
            outcome.wrong(f"{where}, in {run.failed_in}: it does not open again ({error.code})")
            return outcome
        try:
            found = run.next_facts(ledger)
            # Either nothing of the failed call is there, or all of it: the reference knows what all of it is.
            if found != run.facts and not _is_next(seed, run.facts, found, calls):
                outcome.wrong(f"{where}, in {run.failed_in}: something else is there")
        finally:
            ledger.close()
    return outcome


def _is_next(seed: int, before: Facts, found: Facts, calls: int) -> bool:
    """Whether ``found`` is what an unbroken life is one call after ``before``."""
    life = Life(seed)
    with scratch() as folder:
        ledger = open_ledger(folder)
        try:
            last = facts_of(ledger, [])
            stream = life.calls()
            for _ in range(calls):
                call, _ = next(stream)
                if call.method != REOPEN:
                    call.on(ledger)
                now = facts_of(ledger, life.releases)
                if last == before and now == found:
                    return True
                last = now
        finally:
            ledger.close()
    return False


def chosen(total: int, wanted: int, seed: int) -> list[int]:
    """Every call of the disk where so many are wanted, else a sample."""
    if wanted >= total:
        return list(range(total))
    return sorted(random.Random(seed).sample(range(total), wanted))

"""Real SIGKILL of a process that writes the ledger that ships, at random times; then another process opens it. (LED-01)

The writer says on a pipe how many calls have returned. Whatever it had said must be there, and at most one call more.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from tests.torture.power import Outcome, scratch
from tests.torture.workload import LATER, REOPEN, Facts, Life, facts_of, open_ledger
from trustquery.errors import TrustQueryError

__all__ = ["kill"]

_LONGEST_S = 0.004
"""About two calls."""


def _write(folder: Path, seed: int, calls: int, pipe: int) -> None:
    """The writer's life, in a child: one byte on the pipe for each call that returned."""
    ledger = open_ledger(folder)
    os.write(pipe, b".")
    stream = Life(seed).calls()
    for _ in range(calls):
        call, _ = next(stream)
        if call.method == REOPEN:
            ledger.close()
            ledger = open_ledger(folder)
        else:
            call.on(ledger)
        os.write(pipe, b".")


def _facts(seed: int, calls: int) -> tuple[list[Facts], list[str]]:
    """What a life that nobody disturbs is after each call."""
    life = Life(seed)
    with scratch() as folder:
        ledger = open_ledger(folder)
        found = [facts_of(ledger, [])]
        stream = life.calls()
        for _ in range(calls):
            call, _ = next(stream)
            if call.method != REOPEN:
                call.on(ledger)
            found.append(facts_of(ledger, life.releases))
        ledger.close()
    return found, life.releases


def kill(seed: int, calls: int, times: int) -> Outcome:
    """Kill as many writers of one life, each a moment after another number of its calls."""
    outcome = Outcome(histories=1)
    chance = random.Random(f"kill {seed}")
    facts, releases = _facts(seed, calls)
    for number in range(times):
        with scratch() as folder:
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    os.close(reading)
                    _write(folder, seed, calls, writing)
                finally:
                    os._exit(0)
            os.close(writing)
            done, wanted = 0, chance.randrange(calls)
            while done < wanted and (part := os.read(reading, 4096)):
                done += len(part)
            time.sleep(chance.uniform(0.0, _LONGEST_S))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            while part := os.read(reading, 4096):
                done += len(part)
            os.close(reading)
            # One that was done before the signal came is no kill.
            outcome.cuts += os.WIFSIGNALED(status)
            _look(folder, facts, releases, done, f"life {seed}, kill {number}", outcome)
    return outcome


def _look(folder: Path, facts: list[Facts], releases: list[str], done: int, what: str, outcome: Outcome) -> None:
    try:
        ledger = open_ledger(folder)
    except TrustQueryError as error:
        outcome.wrong(f"{what}, after {done} calls: it does not open ({error.code})")
        return
    try:
        if facts_of(ledger, releases) not in facts[max(done - 1, 0) : done + 1]:
            outcome.wrong(f"{what}, after {done} calls: it holds something else")
        ledger.recover(LATER)
        if any(state in ("RESERVED", "STARTED") for _, state, _, _ in facts_of(ledger, releases).releases):
            outcome.wrong(f"{what}: a release is under way after the recovery")
    finally:
        ledger.close()

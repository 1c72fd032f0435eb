"""Power cuts: one life is recorded once, and the power is cut at as many of its moments as one likes.

After each cut the ledger that ships opens what a disk could hold, and must be exactly where it was: everything whose
call had returned is there, the call under way happened wholly or not at all, and nothing else changed. Then it goes on:
it recovers, and for some cuts the power fails again in the middle of the recovery.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from node_agent.budget import SqliteLedger, State
from tests.torture.disk import LOSSES, Note, Platter, Recorder, recording, write_image
from tests.torture.workload import LATER, REOPEN, Facts, Life, facts_of, left_unwitnessed, open_ledger
from trustquery.errors import TrustQueryError

__all__ = ["History", "Outcome", "cut_power", "record", "scratch"]

_NOTHING = Facts(frozenset(), (), 0)
_AGAIN = 0.1
"""Share of cuts after which the power fails a second time, during the recovery."""


@dataclass(frozen=True)
class History:
    """What happened to the disk during one life, and what the ledger was after each call.

    Attributes:
        facts: after 0, 1, 2 … calls that returned; the first is the ledger just made.
        releases: every id in it.
        wrong: calls whose outcome was not the reference's, which must be none.
    """

    seed: int
    notes: Sequence[Note]
    facts: Sequence[Facts]
    releases: list[str]
    wrong: tuple[str, ...] = ()


@dataclass
class Outcome:
    """Counts, and the first words of each violation: how to see it again."""

    cuts: int = 0
    violations: int = 0
    histories: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Count another's in."""
        self.cuts += other.cuts
        self.violations += other.violations
        self.histories += other.histories
        self.examples = (self.examples + other.examples)[:5]

    def wrong(self, what: str) -> None:
        """Note a violation."""
        self.violations += 1
        if len(self.examples) < 5:
            self.examples.append(what)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder in memory, where syncs cost nothing: what is lost is the recorder's business."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def _often(connection: apsw.Connection) -> None:
    # Checkpoints every few pages, so that cuts meet them as often as they meet commits.
    connection.execute("PRAGMA wal_autocheckpoint = 12")


def record(seed: int, calls: int) -> History:
    """Live one life on a recorded disk; every other one checkpoints often."""
    life = Life(seed)
    hooks = [_often] if seed % 2 else []
    wrong: list[str] = []
    with scratch() as folder, recording() as disk, _hooked(hooks):
        ledger = open_ledger(folder)
        facts = [facts_of(ledger, [])]
        disk.note(Note("done"))
        stream = life.calls()
        try:
            for number in range(calls):
                call, expected = next(stream)
                if call.method == REOPEN:
                    ledger.close()
                    ledger = open_ledger(folder)
                elif (found := call.on(ledger)) != expected:
                    wrong.append(f"seed {seed}, call {number}: {call.method} gave {found}, the reference {expected}")
                facts.append(facts_of(ledger, life.releases))
                disk.note(Note("done"))
        finally:
            ledger.close()
        return History(seed, tuple(disk.notes), facts, life.releases, tuple(wrong))


@contextlib.contextmanager
def _hooked(hooks: Sequence[Callable[[apsw.Connection], None]]) -> Iterator[None]:
    before = list(apsw.connection_hooks)
    apsw.connection_hooks.extend(hooks)
    try:
        yield
    finally:
        apsw.connection_hooks[:] = before


def cut_power(history: History, cuts: int, seed: int) -> Outcome:
    """Cut the power at moments chosen by the seed, and look at what is left."""
    outcome = Outcome(violations=len(history.wrong), histories=1, examples=list(history.wrong))
    chance = random.Random(f"{history.seed} {seed}")
    moments = sorted(chance.choices(range(len(history.notes) + 1), k=cuts))
    platter, taken = Platter(), 0
    for moment in moments:
        for note in history.notes[taken:moment]:
            platter.take(note)
        taken = moment
        loss = chance.choice(LOSSES)
        image = platter.cut(loss, chance)
        what = f"history {history.seed}, after note {moment} of {len(history.notes)}, lost {loss}"
        _look(history, platter.done, image, what, chance, outcome)
    return outcome


def _allowed(history: History, done: int) -> tuple[Facts, ...]:
    """What may be found when ``done`` calls had returned; the ledger's own making counts as the first."""
    if done == 0:
        return (_NOTHING, history.facts[0])
    return tuple(history.facts[done - 1 : done + 1])


def _look(
    history: History, done: int, image: dict[str, bytes], what: str, chance: random.Random, outcome: Outcome
) -> None:
    outcome.cuts += 1
    with scratch() as folder:
        write_image(folder, image)
        again = chance.random() < _AGAIN
        with recording() if again else contextlib.nullcontext() as disk:
            try:
                ledger = open_ledger(folder)
            except TrustQueryError as error:
                outcome.wrong(f"{what}: it does not open ({error.code})")
                return
            try:
                found = facts_of(ledger, history.releases)
                if found not in _allowed(history, done):
                    outcome.wrong(f"{what}: after {done - 1} calls it holds something else")
                    return
                for release_id in left_unwitnessed(ledger, history.releases):
                    outcome.wrong(f"{what}: {release_id[:8]} has left before its quorum")
                _recover(ledger, found, history, what, outcome)
            finally:
                ledger.close()
        if disk is not None:
            _cut_again(history, image, disk, found, what, chance, outcome)


def _recover(ledger: SqliteLedger, found: Facts, history: History, what: str, outcome: Outcome) -> None:
    """What a start does next. Nothing that was charged for data comes back, no bytes change."""
    spent = ledger.spent("node-wide", "", LATER).rho_lifetime
    refunds = sum(
        release.rho_nano
        for release_id, state, _, _ in found.releases
        if state == State.RESERVED and not (release := ledger.found(release_id)).stored
    )
    ledger.recover(LATER)
    if ledger.spent("node-wide", "", LATER).rho_lifetime != spent - refunds:
        outcome.wrong(f"{what}: the recovery changed what was spent")
    after = {release_id: (state, box) for release_id, state, box, _ in facts_of(ledger, history.releases).releases}
    ended = {State.RESERVED: State.EXPIRED, State.STARTED: State.DEAD}
    for release_id, state, box, _ in found.releases:
        if after.get(release_id) != (ended.get(State(state), state), box):
            outcome.wrong(f"{what}: the recovery changed {release_id[:8]} from {state} to {after.get(release_id)}")


def _cut_again(
    history: History,
    image: dict[str, bytes],
    disk: Recorder,
    found: Facts,
    what: str,
    chance: random.Random,
    outcome: Outcome,
) -> None:
    """The power fails once more, anywhere between opening and the end of the recovery."""
    platter = Platter()
    for name, content in image.items():
        for note in (Note("create", name), Note("write", name, 0, content), Note("sync", name), Note("folder")):
            platter.take(note)
    # Opening a file that is there is no creation.
    for note in disk.notes[: chance.randrange(len(disk.notes) + 1)]:
        platter.take(note)
    outcome.cuts += 1
    with scratch() as folder:
        write_image(folder, platter.cut(chance.choice(LOSSES), chance))
        try:
            ledger = open_ledger(folder)
        except TrustQueryError as error:
            outcome.wrong(f"{what}, and again: it does not open ({error.code})")
            return
        try:
            for release_id, state, box, _ in found.releases:
                release = ledger.find(release_id)
                ended = {State.RESERVED: State.EXPIRED, State.STARTED: State.DEAD}.get(State(state), State(state))
                if release is None or release.state not in (state, ended) or ledger.outbox(release_id) != box:
                    outcome.wrong(f"{what}, and again: {release_id[:8]} was {state}")
                    return
        finally:
            ledger.close()

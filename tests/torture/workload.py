"""Made-up lives of a ledger: calls as a gate would make them, sent to the ledger that ships and to the reference.

``Facts`` is what must survive: every sum, every state, every byte that may leave, the length of the chain.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node_agent.budget import Limits, SqliteLedger, State
from tests.factories.reservations import print_of, profile_scopes, reservation, scopes
from tests.lib.memory_ledger import MemoryLedger
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey
from trustquery.log import cosign, with_lines
from trustquery.log.note import split_note

__all__ = ["LATER", "REOPEN", "Call", "Facts", "Life", "Witnesses", "facts_of", "left_unwitnessed", "open_ledger"]

NOW = 1_800_000_000
REOPEN = "reopen"
DAY = 86_400
LATER = NOW + 4_000 * DAY
"""A time after every call of every life, seconds since 1970."""
_TIGHT = scopes(Limits(260, 0, 200), Limits(240, 0), Limits(220, 0), Limits(200, 0, 150))
_PROFILE = profile_scopes(Limits(120, 0, 80, 0), node=Limits(260, 0, 200), dataset=Limits(240, 0))
_NEXT: dict[State, tuple[str, ...]] = {
    State.RESERVED: ("start", "start", "start", "expire"),
    State.STARTED: ("commit", "commit", "commit", "die"),
    State.COMMITTED: ("witnessed", "witnessed", "withhold"),
    State.HELD: ("witnessed", "withhold"),
    State.WITNESSED: ("sent", "sent", "withhold"),
    State.SENT: ("sent", "acknowledged"),
    State.DEAD: ("put_outbox", "sent"),
    State.EXPIRED: ("put_outbox", "sent"),
    State.WITHHELD: (),
}


@dataclass(frozen=True)
class Call:
    """One call of the ledger; ``REOPEN`` closes it and opens it again."""

    method: str
    arguments: tuple[Any, ...] = ()
    held: bool = False

    def on(self, ledger: Any) -> str:
        """Make the call; returns "done" or the code of its error."""
        try:
            if self.method == "commit":
                ledger.commit(*self.arguments, held=self.held)
            elif self.method == "witnessed":
                WITNESSES.sign(ledger, *self.arguments)
                ledger.witnessed(*self.arguments)
            else:
                getattr(ledger, self.method)(*self.arguments)
        except TrustQueryError as error:
            return error.code
        return "done"


@dataclass(frozen=True)
class Facts:
    """A ledger at rest.

    Attributes:
        totals: scope, subject, rho, delta and number of releases of every subject.
        releases: release id to state, the bytes that may leave, and whether they have left.
        entries: length of the hash chain; -1 where it is not known (the reference has none).
    """

    totals: frozenset[tuple[str, str, int, int, int]]
    releases: tuple[tuple[str, str, bytes | None, bool], ...]
    entries: int


class Witnesses:
    """The witness step: a head that holds the release, with three lines, is kept before the release goes on."""

    def sign(self, ledger: Any, release_id: str, now: int) -> None:
        """Have the ledger's head cosigned; the reference has no heads."""
        if not isinstance(ledger, SqliteLedger) or not _committed_seq(ledger, release_id):
            return
        size = ledger.size()
        note = ledger.head("torture", size).sign(_KEY)
        ledger.keep_cosigned(size, with_lines(note, [cosign(note, name, _KEY, now) for name in "abc"]), now)


WITNESSES = Witnesses()
_KEY = SigningKey.generate()


def _committed_seq(ledger: SqliteLedger, release_id: str) -> int:
    row = ledger._db.row("SELECT max(seq) FROM leaf WHERE release_id = ? AND kind = 'committed'", (release_id,))
    return int(row[0] or 0) if row else 0


def left_unwitnessed(ledger: SqliteLedger, releases: list[str]) -> list[str]:
    """Releases that may leave, or have left, although no head that holds them has three lines."""
    found = []
    for release_id in releases:
        release = ledger.find(release_id)
        if release is not None and release.state in (State.WITNESSED, State.SENT):
            note = ledger.cosigned_over(_committed_seq(ledger, release_id))
            if not note or len(split_note(note)[1]) < 4:
                found.append(release_id)
    return found


def facts_of(ledger: SqliteLedger, releases: list[str]) -> Facts:
    """What the ledger says of itself.

    Args:
        releases: every id that may be in it.
    """
    found = []
    for release_id in releases:
        release = ledger.find(release_id)
        if release is not None:
            box = ledger.outbox(release_id)
            found.append((release_id, str(release.state), box, ledger.has_left(release_id)))
    return Facts(frozenset(ledger.totals()), tuple(sorted(found)), ledger.size())


class Life:
    """Endless calls, the same for the same seed.

    Attributes:
        model: the reference, always one step ahead: it has taken every call that was yielded.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.model = MemoryLedger()
        self._now = NOW
        self._names: list[str] = []
        self._made = 0

    @property
    def releases(self) -> list[str]:
        """Every release id so far."""
        return [print_of(name) for name in self._names]

    def calls(self) -> Iterator[tuple[Call, str]]:
        """Each call with the outcome that the reference gives."""
        while True:
            call = self._next()
            yield call, "done" if call.method == REOPEN else call.on(self.model)

    def _next(self) -> Call:
        chance = self._chance
        if chance.random() < 0.05:
            self._now += chance.choice((1, 60, DAY, 40 * DAY, -DAY))
        kind = chance.random()
        if kind < 0.02:
            return Call(REOPEN)
        if kind < 0.30 or not self._names:
            return self._reserve()
        if kind < 0.34:
            return Call("note_refusal", (print_of(f"refused {chance.random()}"), print_of("i"), "", self._now))
        if kind < 0.38:
            name, version = chance.choice(("a", "b")), chance.randrange(1, 6)
            return Call("see", ("permit", name, version, print_of(f"{name}{version}"), self._now))
        if kind < 0.41:
            return Call("erase", (chance.choice((1, 30)), self._now))
        return self._move()

    def _reserve(self) -> Call:
        chance = self._chance
        if self._names and chance.random() < 0.15:
            name = chance.choice(self._names)
        else:
            name = f"r{self._made}"
            self._made += 1
            self._names.append(name)
        question = print_of(f"question {chance.randrange(4)}")
        stored = chance.random() < 0.3 and self.model.stored_vector(question) is not None
        asked = reservation(
            name,
            question=question,
            rho_nano=chance.randrange(1, 40),
            stored=stored,
            scopes=_PROFILE if chance.random() < 0.2 else _TIGHT,
            not_after=self._now + 60,
        )
        return Call("reserve", (asked, self._now))

    def _move(self) -> Call:
        chance = self._chance
        # The latest ones mostly: an old release rests.
        release_id = print_of(chance.choice(self._names[-6:]))
        release = self.model.find(release_id)
        if release is None:
            return self._reserve()
        stored = release.state is State.RESERVED and release.stored
        methods = ("commit",) if stored else _NEXT[release.state]
        # One call in twelve is out of order, which the ledger must refuse without a trace.
        if not methods or chance.random() < 0.08:
            methods = ("start", "commit", "witnessed", "withhold", "expire", "die")
        method = chance.choice(methods)
        if method == "acknowledged":
            return Call(method, (release_id,))
        if method == "commit":
            # Sometimes larger than a page, as real vectors are.
            box = chance.randbytes(chance.choice((40, 600, 9_000)))
            return Call(method, (release_id, box, box[:32], self._now), held=chance.random() < 0.2)
        if method == "put_outbox":
            return Call(method, (release_id, chance.randbytes(80), self._now))
        return Call(method, (release_id, self._now))


def open_ledger(folder: Path) -> SqliteLedger:
    """The ledger that ships, on a file in this folder."""
    return SqliteLedger(folder / "ledger.sqlite")

"""A tiny ledger in memory: the reference that the real one is compared with, and the gate tests' stand-in.

It keeps the rules of money and states and nothing else: no chain, no disk. Its only list, ``events``, shows the order.
"""

from __future__ import annotations

import dataclasses

from node_agent.budget import VALID_TRANSITIONS, Decided, Release, Reservation, ScopeName, Spent, State
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret
from trustquery.log import Checkpoint, Tree, leaf_hash

__all__ = ["MemoryLedger"]

DAY = 86_400


class MemoryLedger:
    """The port ``node_agent.budget.port.Ledger``, as plainly as it can be written.

    Attributes:
        failed: set it to see what the gate does when nothing can be written.
        fail_on: name of a method that fails the ledger when it is called.
    """

    def __init__(self) -> None:
        self.failed = False
        self.fail_on = ""
        self.releases: dict[str, Release] = {}
        self.questions: dict[str, str] = {}
        self.charges: list[tuple[str, str, str, int, int, int]] = []
        self.boxes: dict[str, tuple[bytes, str]] = {}
        self.vectors: dict[str, bytes] = {}
        self.days: dict[str, int] = {}
        self.drawn: dict[str, str] = {}
        self.erased: dict[str, int] = {}
        self.versions: dict[tuple[str, str], tuple[int, str]] = {}
        self.decided: list[Decided] = []
        self.events: list[tuple[str, str]] = []
        self.clock = 0
        self.heads: dict[int, bytes] = {}
        self.alarms: list[tuple[str, str, bytes]] = []
        self.fork: tuple[bytes, bytes] | None = None

    def time(self, now: int) -> int:
        return max(self.clock, now)

    def _write(self, what: str, about: str, now: int) -> int:
        if self.failed or self.fail_on == what:
            self.failed = True
            raise TrustQueryError("ledger-unwritable")
        self.clock = max(self.clock, now)
        self.events.append((what, about))
        return self.clock

    def _move(self, release_id: str, wanted: State, what: str, now: int) -> Release:
        release = self.releases.get(release_id)
        if release is None or wanted not in VALID_TRANSITIONS[release.state]:
            raise TrustQueryError("ledger-state", found=release.state if release else "nothing", wanted=wanted)
        self._write(what, release_id, now)
        self.releases[release_id] = dataclasses.replace(release, state=wanted)
        return release

    def reserve(self, reservation: Reservation, now: int) -> tuple[Release, bool]:
        known = self.releases.get(reservation.release_id)
        if known is not None:
            if known.intent_hash != reservation.intent_hash:
                raise TrustQueryError("node-release-conflict")
            return known, False
        day = max(self.clock, now) // DAY
        owed = [
            item
            for item in reservation.scopes
            if not reservation.stored
            or (
                item.scope not in ("node-wide", "dataset", "profiles")
                and not self.seen_by(reservation.question, item.scope, item.subject)
            )
        ]
        rho, delta = reservation.rho_nano, reservation.delta_atto
        for item in owed:
            spent, caps = self.spent(item.scope, item.subject, now), item.limits
            if (
                spent.rho_lifetime + rho > caps.rho_lifetime
                or spent.delta_lifetime + delta > caps.delta_lifetime
                or (caps.rho_window is not None and spent.rho_window + rho > caps.rho_window)
                or (caps.delta_window is not None and spent.delta_window + delta > caps.delta_window)
            ):
                raise TrustQueryError("budget-exhausted", scope=item.scope)
        self._write("reserve", reservation.release_id, now)
        names = {field.name for field in dataclasses.fields(Release)} - {"state", "reserved_seq"}
        facts = {name: getattr(reservation, name) for name in names}
        release = Release(**facts, state=State.RESERVED, reserved_seq=len(self.events))
        self.releases[release.release_id] = release
        self.questions[release.release_id] = reservation.question
        self.days[release.release_id] = day
        self.charges += [(release.release_id, item.scope, item.subject, rho, delta, day) for item in owed]
        return release, True

    def start(self, release_id: str, now: int) -> None:
        release = self.releases.get(release_id)
        if release is not None and release.state is State.RESERVED and release.stored:
            raise TrustQueryError("ledger-state", found="a stored answer", wanted=State.STARTED)
        self._move(release_id, State.STARTED, "start", now)

    def commit(self, release_id: str, outbox: bytes, vector: bytes, now: int, *, held: bool = False) -> None:
        release = self.releases.get(release_id)
        if release is not None and release.state is State.RESERVED and not release.stored:
            raise TrustQueryError("ledger-state", found=release.state, wanted=State.COMMITTED)
        self._move(release_id, State.COMMITTED, "commit", now)
        self.boxes[release_id] = (outbox, "ready")
        if self.questions[release_id] not in self.vectors:
            self.vectors[self.questions[release_id]] = vector
            self.drawn[self.questions[release_id]] = release_id
        if held:
            self._move(release_id, State.HELD, "held", now)

    def expire(self, release_id: str, now: int) -> None:
        self._move(release_id, State.EXPIRED, "expire", now)
        self.charges = [charge for charge in self.charges if charge[0] != release_id]

    def die(self, release_id: str, now: int) -> None:
        self._move(release_id, State.DEAD, "die", now)

    def withhold(self, release_id: str, now: int) -> None:
        self._move(release_id, State.WITHHELD, "withhold", now)

    def witnessed(self, release_id: str, now: int) -> None:
        self._move(release_id, State.WITNESSED, "witnessed", now)

    def sent(self, release_id: str, now: int) -> None:
        if self.releases[release_id].state not in (State.DEAD, State.EXPIRED, State.SENT):
            self._move(release_id, State.SENT, "sent", now)
        if release_id in self.boxes and self.boxes[release_id][1] == "ready":
            self.boxes[release_id] = (self.boxes[release_id][0], "sent")

    def acknowledged(self, release_id: str) -> None:
        if self.boxes.get(release_id, (b"", ""))[1] == "sent":
            self.boxes[release_id] = (self.boxes[release_id][0], "acknowledged")

    def recover(self, now: int) -> tuple[Release, ...]:
        found = [r for r in self.releases.values() if r.state in (State.RESERVED, State.STARTED)]
        for release in found:
            (self.expire if release.state is State.RESERVED else self.die)(release.release_id, now)
        return tuple(self.releases[release.release_id] for release in found)

    def find(self, release_id: str) -> Release | None:
        return self.releases.get(release_id)

    def outbox(self, release_id: str) -> bytes | None:
        return self.boxes[release_id][0] if release_id in self.boxes else None

    def put_outbox(self, release_id: str, content: bytes, now: int) -> bytes:
        state = self.releases[release_id].state
        if state not in (State.DEAD, State.EXPIRED):
            raise TrustQueryError("ledger-state", found=state, wanted="no answer")
        self._write("put_outbox", release_id, now)
        return self.boxes.setdefault(release_id, (content, "ready"))[0]

    def has_left(self, release_id: str) -> bool:
        return self.boxes.get(release_id, (b"", "ready"))[1] != "ready"

    def is_settled(self, release_id: str) -> bool:
        return self.boxes.get(release_id, (b"", ""))[1] == "acknowledged" or release_id in self.erased

    def unsent(self) -> tuple[Release, ...]:
        waiting = (State.COMMITTED, State.HELD, State.WITNESSED)
        ended = (State.DEAD, State.EXPIRED)
        return tuple(
            release
            for release in self.releases.values()
            if release.state in waiting or (release.state in ended and not self.has_left(release.release_id))
        )

    def unacknowledged(self) -> tuple[Release, ...]:
        return tuple(r for r in self.releases.values() if self.boxes.get(r.release_id, (b"", ""))[1] == "sent")

    def stored_vector(self, question: str) -> bytes | None:
        return self.vectors.get(question)

    def erase(self, days: int, now: int, *, most: int = 20) -> tuple[str, ...]:
        at = max(self.clock, now)
        due = [
            release.release_id
            for release in self.releases.values()
            if release.state in (State.SENT, State.WITHHELD)
            and self.days[release.release_id] <= at // DAY - days
            and release.not_after < at - 7 * DAY
            and release.release_id not in self.erased
        ][:most]
        if due:
            self._write("erase", " ".join(due), now)
        for release_id in due:
            self.erased[release_id] = at // DAY
            self.boxes.pop(release_id, None)
            question = self.questions[release_id]
            if self.drawn.get(question) == release_id:
                del self.vectors[question], self.drawn[question]
        return tuple(due)

    def erased_day(self, question: str) -> int | None:
        return max((day for one, day in self.erased.items() if self.questions[one] == question), default=None)

    def spent(self, scope: ScopeName, subject: str, now: int) -> Spent:
        since = now // DAY - (90 if scope == "profiles" else 366)
        mine = [charge for charge in self.charges if charge[1:3] == (scope, subject)]
        late = [charge for charge in mine if charge[5] > since]
        return Spent(sum(c[3] for c in late), sum(c[3] for c in mine), sum(c[4] for c in late), sum(c[4] for c in mine))

    def seen_by(self, question: str, scope: ScopeName, subject: str) -> bool:
        return any(self.questions[c[0]] == question and c[1:3] == (scope, subject) for c in self.charges)

    def no_answers(self, analyst: str, now: int) -> int:
        since = now // DAY - 30
        return sum(
            release.state is State.DEAD and release.analyst == analyst and self.days[release.release_id] > since
            for release in self.releases.values()
        )

    def record(self, decided: Decided, now: int) -> None:
        self._write("record", decided.release_id, now)
        self.decided.append(decided)

    def note_refusal(self, release_id: str, intent_hash: str, policy_hash: str, now: int) -> None:
        self._write("refused", release_id, now)

    def note_alarm(self, code: str, place: str, data: bytes, now: int, *, once: bool) -> None:
        if once and (code, place, data) in self.alarms:
            return
        self.alarms.append((code, place, data))
        self._write("alarm", code, now)

    def note_opened(self, now: int) -> None:
        self._write("opened", new_secret(8).hex(), now)

    def last_seq(self, release_id: str) -> int:
        moved = ("witnessed", "sent")
        told = (n for n, (what, about) in enumerate(self.events, 1) if about == release_id and what not in moved)
        return max(told, default=0)

    def keep_cosigned(self, size: int, note: bytes, now: int) -> None:
        self.heads[size] = note

    def cosigned_over(self, seq: int) -> bytes:
        return next((note for size, note in sorted(self.heads.items()) if size >= seq), b"")

    def freeze(self, ours: bytes, theirs: bytes, now: int) -> None:
        self.fork = self.fork or (ours, theirs)

    def frozen(self) -> tuple[bytes, bytes] | None:
        return self.fork

    def see(self, kind: str, name: str, version: int, sha256: str, now: int) -> None:
        known = self.versions.get((kind, name), (0, ""))
        if (version, sha256) == known:
            return
        if version <= known[0]:
            raise TrustQueryError("policy-document-stale", document=kind)
        self._write("see", kind, now)
        self.versions[kind, name] = (version, sha256)

    def seen(self, kind: str, name: str) -> tuple[int, str] | None:
        return self.versions.get((kind, name))

    def totals(self) -> dict[tuple[str, str], tuple[int, int, int]]:
        """Scope and subject to rho, delta and number of releases."""
        found: dict[tuple[str, str], tuple[int, int, int]] = {}
        for _, scope, subject, rho, delta, _ in self.charges:
            before = found.get((scope, subject), (0, 0, 0))
            found[scope, subject] = (before[0] + rho, before[1] + delta, before[2] + 1)
        return found

    def size(self) -> int:
        return len(self.events)

    def head(self, origin: str, size: int) -> Checkpoint:
        return Checkpoint(origin, size, self.root(size))

    def _tree(self) -> Tree:
        return Tree(leaf_hash(repr(event).encode()) for event in self.events)

    def root(self, size: int) -> bytes:
        return self._tree().root(size)

    def proof(self, old: int, size: int) -> tuple[bytes, ...]:
        return self._tree().consistency_proof(old, size)

"""``make torture-coordinator``: real SIGKILL of real processes that run the query service that ships. (AVL-07)

    python -m tests.torture.coordinator [--kills N] [--database sqlite|postgresql] [--seed N] [--point P] [--plant F]

Each life is a process with the production store, query service, merge and fleet, in which four scripted trusts answer,
refuse or stay silent, and a client submits and cancels. It is killed: every other one at a random moment, the others
just before or just after a call to the store. The next life goes on. What a client was told is accepted must end
answered, refused or expired with a reason, or cancelled as the client wished; nothing that ended may ever change; no
trust may be charged twice. Ends with ``RESULT {json}``; status 3 for a violation.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import select
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coordinator.fleet.links import Fleet, Link
from coordinator.fleet.peers import Peer
from coordinator.queries import QueryService
from coordinator.queries.checks import Checked, Submission
from coordinator.queries.machine import VALID_TRANSITIONS, State
from coordinator.rosters import Rosters
from coordinator.services import wall_clock
from coordinator.store import ProjectRow, Store, User
from tests.factories.documents import DAY, intent, node_entry, root, roster
from trustquery.errors import Problem
from trustquery.identity import Answer, Intent, SigningKey
from trustquery.protocol.messages import AnswerMessage, Cancel, Offer

__all__ = ["main"]

BROKEN = 3
TRUSTS = ("RX1", "RX2", "RX3", "RX4")
LENGTH, RHO = 2, 1_000
RECOVERY_SECONDS = 30.0
DEADLINE_SECONDS = 2
LONGEST_LIFE_S = 0.25
KILLS_A_PEACE = 10
"""A coordinator that is killed ten times running is then left alone, and everything must end."""
POINTS = tuple(
    f"{when} {call}" for call in ("add", "move", "finish", "add_answer", "answers") for when in ("before", "after")
)
"""Where a life may end: at a call to ``store.queries``."""
_FINAL = frozenset(state.value for state, after in VALID_TRANSITIONS.items() if not after)


class World:
    """Keys, roster and what each scripted trust does: the same in every life, from one seed."""

    def __init__(self, seed: int, plant: str = "") -> None:
        self.seed, self.plant = seed, plant
        self.keys = {name: _key(f"{seed} {name}") for name in (*TRUSTS, "h1", "h2", "h3", "analyst")}
        holders = [self.keys[f"h{number}"] for number in (1, 2, 3)]
        self.root, now = root(*holders), int(time.time())
        entries = tuple(node_entry(name, self.keys[name]) for name in TRUSTS)
        self.roster = roster(entries, (), issued=now - 10, expires=now + 20 * DAY).sign(*holders[:2]).encode()

    def conduct(self, trust: str, release_id: str) -> str:
        """What a trust does: most answer, some refuse, some say nothing."""
        drawn = hashlib.sha256(f"{trust} {release_id}".encode()).digest()[0]
        return "silent" if drawn < 20 else "refused" if drawn < 70 else "answer"

    def cancels(self, release_id: str) -> bool:
        """Whether its analyst changes their mind."""
        return hashlib.sha256(f"cancel {release_id}".encode()).digest()[0] < 25

    def vector(self, trust: str, release_id: str) -> bytes:
        """What it answers: the same bytes however often it is asked."""
        drawn = hashlib.sha256(f"vector {trust} {release_id}".encode()).digest()
        return struct.pack(f"<{LENGTH}q", drawn[0], -drawn[1])

    def answer(self, trust: str, asked: Intent) -> AnswerMessage | None:
        """Its signed answer; None from a silent one."""
        status = self.conduct(trust, asked.release_id)
        if status == "silent":
            return None
        good = status == "answer"
        vector = self.vector(trust, asked.release_id) if good else b""
        made = Answer(
            federation=asked.federation, release_id=asked.release_id, query_hash=asked.query_hash,
            plan_hash=asked.plan_hash, node=trust, data_version=1, policy_hash="", mode="local",
            status="answer" if good else "refused", vector_sha256=hashlib.sha256(vector).hexdigest() if good else "",
            vector_length=LENGTH if good else 0, rho_nano=RHO if good else 0, ledger_seq=1,
            reasons=() if good else (Problem("node-rate").document(),),
        )  # fmt: skip
        return AnswerMessage(asked.release_id, made.sign(self.keys[trust]).encode(), vector)


def _key(words: str) -> SigningKey:
    return SigningKey(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(words.encode()).digest()))


def mine(store: Store, point: str, after_calls: int) -> None:
    """Have this process die at a point, the so-many-th time that it comes there."""
    when, _, call = point.partition(" ")
    real, left = getattr(store.queries, call), [after_calls]

    def trapped(*arguments: Any, **more: Any) -> Any:
        left[0] -= 1
        if when == "before" and left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        found = real(*arguments, **more)
        if when == "after" and left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(store.queries, call, trapped)


class _NeverResumes(QueryService):
    """A planted fault: what a crash left in the middle of closing stays there."""

    async def _finish(self, release_id: str) -> None:
        if release_id in self._mine:
            await super()._finish(release_id)

    async def close(self, release_id: str) -> None:
        self._mine.add(release_id)
        await super().close(release_id)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._mine: set[str] = set()


PLANTS: dict[str, type[QueryService]] = {"": QueryService, "never-resumes": _NeverResumes}


# -- one life ----------------------------------------------------------------------------------------------------------


def live(world: World, url: str, number: int, point: str, pipe: int) -> None:
    """A coordinator's life, in a child, until it is killed; lines on the pipe say what a client was told."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    asyncio.run(_live(world, url, number, point, pipe))


async def _live(world: World, url: str, number: int, point: str, pipe: int) -> None:
    def say(words: str) -> None:
        os.write(pipe, f"{words}\n".encode())

    chance = random.Random(f"{world.seed} {number}")
    store, service, work = _coordinator(world, url, chance)
    if point:
        mine(store, point, chance.randint(1, 6))
    say("ready")
    await asyncio.gather(_client(world, service, store, number, say), *work)


def _coordinator(
    world: World, url: str, chance: random.Random
) -> tuple[Store, QueryService, list[Coroutine[Any, Any, None]]]:
    store = Store(url)
    rosters = Rosters(store, world.root)
    rosters.refresh()
    fleet = Fleet()
    service = PLANTS[world.plant](store, rosters, fleet, wall_clock, lambda _row, _content: None)
    links = [Link(trust, Peer("", "", "1"), ready=True) for trust in TRUSTS]
    for link in links:
        fleet.attach(link)
    return store, service, [_ticks(service), *(_trust(world, service, link, chance) for link in links)]


async def _ticks(service: QueryService) -> None:
    while True:
        await service.tick()
        await asyncio.sleep(0.01)


async def _trust(world: World, service: QueryService, link: Link, chance: random.Random) -> None:
    """One trust: it answers each offer once, and again after its coordinator has been away."""
    while True:
        message = await link.outgoing.get()
        if isinstance(message, Cancel):
            continue
        assert isinstance(message, Offer)
        answer = world.answer(link.node, Intent.read(message.intent))
        if answer is not None:
            await asyncio.sleep(chance.uniform(0, 0.004))
            await service.on_answer(link.node, answer)


async def _client(world: World, service: QueryService, store: Store, number: int, say: Any) -> None:
    user = await asyncio.to_thread(store.people.find, "ada")
    project = await asyncio.to_thread(store.projects.get, "stays")
    assert user is not None
    assert project is not None
    for place in range(1_000_000):
        release_id = hashlib.sha256(f"{world.seed} {number} {place}".encode()).hexdigest()
        await _submit(world, service, user, project, release_id)
        say(f"accepted {release_id}")
        if world.cancels(release_id):
            row = await asyncio.to_thread(store.queries.get, release_id)
            if row is not None and await service.cancel(row):
                say(f"cancelled {release_id}")
        await asyncio.sleep(0.002)


async def _submit(world: World, service: QueryService, user: User, project: ProjectRow, release_id: str) -> None:
    key = world.keys["analyst"]
    asked = intent(
        key, release_id=release_id, nodes=TRUSTS, not_after=int(time.time()) + DEADLINE_SECONDS, rho_nano=RHO
    )  # fmt: skip
    query, plan = SimpleNamespace(catalogue_id="omop-5.4"), SimpleNamespace(length=LENGTH)
    given = Submission("stays", "SELECT", b"{}", asked.sign(key).encode(), Decimal(1))
    await service.submit(given, Checked(project, asked, cast(Any, query), cast(Any, plan)), user)


# -- killing -----------------------------------------------------------------------------------------------------------


@contextmanager
def database(kind: str) -> Iterator[str]:
    """A fresh database of a kind; its URL."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="tq-kills-") as folder:
            yield f"sqlite+pysqlite:///{Path(folder)}/coordinator.sqlite"
        return
    from tests.lib.postgres import PostgresServer

    server = PostgresServer()
    try:
        yield server.database()
    finally:
        server.close()


def prepare(world: World, url: str) -> None:
    """The tables, the roster, a person and a project; in a child, so that the parent forks with nothing open."""
    store = Store(url)
    store.create()
    now = int(time.time())
    Rosters(store, world.root).install(world.roster, now)
    store.people.add("ada", world.keys["analyst"].public.hex(), now)
    with store.transaction() as session:
        session.add(ProjectRow(name="stays", version=1, permit=b"{}", permit_hash="0" * 64, state="live", added=now))
    store.close()


def in_child(work: Any, *arguments: Any) -> int:
    """Run in a process of its own; its id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(*arguments)
            code = 0
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)
    return child


def one_life(world: World, url: str, number: int, point: str, seconds: float) -> tuple[list[str], bool]:
    """Start a life and kill it at a point, or after a while; what a client was told, and whether it was killed."""
    reading, writing = os.pipe()
    child = in_child(live, world, url, number, point, writing)
    os.close(writing)
    heard = b""
    while b"ready" not in heard and (part := os.read(reading, 4096)):
        heard += part
    until = time.monotonic() + (4 * LONGEST_LIFE_S if point else seconds)
    while time.monotonic() < until and (part := _some(reading, until)):
        heard += part
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while part := os.read(reading, 65536):
        heard += part
    os.close(reading)
    # A line that the kill cut in two was told to nobody.
    return heard.decode().split("\n")[:-1], os.WIFSIGNALED(status)


def _some(reading: int, until: float) -> bytes:
    """What comes until then; b"" at the end of a life, or of the time."""
    ready, _, _ = select.select([reading], [], [], max(until - time.monotonic(), 0))
    return os.read(reading, 65536) if ready else b""


class Look:
    """What the database says between lives, and whether it ever takes anything back."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.ended: dict[str, tuple[str, bytes | None]] = {}
        self.violations: list[str] = []

    def look(self) -> Counter[str]:
        """Compare with what was seen before; how many queries are in each state."""
        store = Store(self._url)
        from sqlalchemy import text

        with store.transaction() as session:
            rows = list(session.execute(text("SELECT release_id, state, result FROM queries")))
        store.close()
        for release_id, state, result in rows:
            kept = bytes(result) if result is not None else None
            before = self.ended.get(release_id)
            if before is not None and before != (state, kept):
                self.violations.append(f"{release_id} had ended as {before[0]}, and is {state}")
            if state in _FINAL:
                self.ended[release_id] = (state, kept)
        return Counter(str(state) for _, state, _ in rows)


def judge(world: World, url: str, told: Sequence[str], look: Look) -> None:
    """Everything that must hold once every query has ended."""
    store = Store(url)
    accepted = [line.partition(" ")[2] for line in told if line.startswith("accepted ")]
    cancelled = {line.partition(" ")[2] for line in told if line.startswith("cancelled ")}
    wrong = look.violations.append
    charged = 0
    for release_id, (state, result) in look.ended.items():
        answers = {row.node: row for row in store.queries.answers(release_id)}
        for trust, row in answers.items():
            conduct = world.conduct(trust, release_id)
            if conduct == "silent" or row.status != conduct:
                wrong(f"{release_id}: {trust} is said to have {row.status}")
            if row.status == "answer" and bytes(row.vector) != world.vector(trust, release_id):
                wrong(f"{release_id}: {trust}'s vector is another")
        charged += sum(row.rho_nano for row in answers.values())
        if release_id in cancelled and state != State.CANCELLED:
            wrong(f"{release_id} was cancelled, and is {state}")
        if state == State.CANCELLED:
            continue
        found = json.loads(result or b"{}")
        missing = {item["node"] for item in found.get("missing", ()) if item["reasons"]}
        merged = {item["node"] for item in found.get("trusts", ())}
        if missing | merged != set(TRUSTS) or missing & merged:
            wrong(f"{release_id} ended without a word of some trust")
        if (state == State.CLOSED) != (len(merged) >= 2):
            wrong(f"{release_id} is {state} with {len(merged)} answers")
        if state == State.CLOSED:
            vectors = [struct.unpack(f"<{LENGTH}q", world.vector(trust, release_id)) for trust in merged]
            if [int(cell) for cell in found["vector"]] != [sum(cells) for cells in zip(*vectors, strict=True)]:
                wrong(f"{release_id}: the sum is not that of its answers")
    for release_id in accepted:
        if release_id not in look.ended:
            wrong(f"{release_id} was accepted and has not ended")
    if sum(total for _, total, _ in store.queries.charged("stays")) != charged:
        wrong("the charges do not add up")
    store.close()


def torture(kills: int, kind: str, seed: int, point: str = "", plant: str = "") -> dict[str, Any]:
    """So many lives and kills, then one life in peace; what was found.

    Args:
        point: where every life ends; "" for anywhere.
        plant: a fault that must be seen.
    """
    world, chance, wait = World(seed, plant), random.Random(seed), 4.0 if plant else RECOVERY_SECONDS
    with database(kind) as url:
        assert os.waitpid(in_child(prepare, world, url), 0)[1] == 0
        look, told, done, recoveries = Look(url), [], 0, [0.0]
        while done < kills and not look.violations:
            done += 1
            where = point or (chance.choice(POINTS) if done % 2 else "")
            lines, killed = one_life(world, url, done, where, chance.uniform(0.0, LONGEST_LIFE_S))
            told += lines
            if not killed:
                look.violations.append(f"life {done} ended by itself")
            look.look()
            if done % KILLS_A_PEACE == 0 or done == kills:
                recoveries.append(recover(world, url, look, wait))
        judge(world, url, told, look)
        ends = Counter(state for state, _ in look.ended.values())
        return {
            "database": kind, "kills": done, "accepted": sum(line.startswith("accepted") for line in told),
            "ended": dict(sorted(ends.items())), "longest_recovery_seconds": round(max(recoveries), 1),
            "violations": len(look.violations), "first": look.violations[:5],
        }  # fmt: skip


def recover(world: World, url: str, look: Look, wait: float) -> float:
    """Let one life be; the seconds until every query has ended."""
    began = time.monotonic()
    peace = in_child(_peace, world, url)
    while not set(counts := look.look()) <= _FINAL:
        if time.monotonic() - began > wait:
            look.violations.append(f"after {wait:.0f} s not everything had ended: {dict(counts)}")
            break
        time.sleep(0.05)
    os.kill(peace, signal.SIGKILL)
    os.waitpid(peace, 0)
    return time.monotonic() - began


def _peace(world: World, url: str) -> None:
    """The last life: no new questions; what is open ends."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())

    async def run() -> None:
        _, _, work = _coordinator(world, url, random.Random(0))
        await asyncio.gather(*work)

    asyncio.run(run())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, or 3 where something was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.coordinator")
    parser.add_argument("--kills", type=int, default=1_000, help="processes killed")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--point", choices=("", *POINTS), default="", help="where every life ends")
    parser.add_argument("--plant", choices=tuple(PLANTS), default="", help="a fault that must be seen")
    options = parser.parse_args(arguments)
    found = torture(options.kills, options.database, options.seed, options.point, options.plant)
    print(f"RESULT {json.dumps(found)}")
    return BROKEN if found["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""Faults planted on purpose, in the simulation alone. Each must be seen, or the simulation is blind.

A planted fault changes the code that ships for as long as its ``with`` lasts, in the way in which somebody might get it
wrong. Nothing here can be reached from what ships.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.queries import QueryService
from coordinator.queries.machine import OPEN
from node_agent.budget import SqliteLedger
from node_agent.budget.port import Release, Reservation, Spent
from node_agent.budget.reader import DAY, LedgerReader
from node_agent.gate import decode, endings, gate, send, witnessing
from node_agent.gate.case import Case
from node_agent.gate.cosigning import Cosigning
from node_agent.gate.ports import Documents, Governance, Ports
from node_agent.service import Service
from tests.simulation.machines import Disks
from tests.simulation.shims import instead
from trustquery.log import Witness, cosign
from trustquery.protocol import session as session_module
from trustquery.protocol.cosigning import Wanted
from trustquery.protocol.messages import AnswerMessage
from trustquery.wire import decode as decode_frame

__all__ = ["CONTROLS", "Control"]

Planted = contextlib.AbstractContextManager[None]
_Steps = tuple[tuple[str, gate.Step], ...]


@dataclass(frozen=True)
class Control:
    """One planted fault.

    Attributes:
        plant: changes the code while its ``with`` lasts.
        within: after so many histories it must have been seen.
    """

    plant: Callable[[Disks], Planted]
    within: int = 150


def _all(*planted: Planted) -> Planted:
    @contextlib.contextmanager
    def together() -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for item in planted:
                stack.enter_context(item)
            yield

    return together()


def _lying(disks: Disks) -> Planted:
    return instead(disks, "lies", True)


def _before_witness(_: Disks) -> Planted:
    def sent(self: SqliteLedger, release_id: str, now: int) -> None:
        with self._entries.writing(now) as transaction:
            transaction.run("UPDATE release SET state = 'SENT' WHERE release_id = ?", (release_id,))
            transaction.run("UPDATE outbox SET state = 'sent' WHERE release_id = ?", (release_id,))

    steps: _Steps = tuple(item for item in gate.STEPS if item[0] != "witness")
    return _all(instead(gate, "STEPS", steps), instead(SqliteLedger, "sent", sent))


def _before_commit(_: Disks) -> Planted:
    def early(case: Case, ports: Ports) -> None:
        ports.send(AnswerMessage(case.release_id, case.envelope, case.vector))

    names = [name for name, _ in gate.STEPS]
    place = names.index("commit")
    steps: _Steps = (*gate.STEPS[:place], ("send", early), *gate.STEPS[place:])
    return instead(gate, "STEPS", steps)


def _replacing(_: Disks) -> Planted:
    whole = SqliteLedger.reserve

    def reserve(self: SqliteLedger, asked: Reservation, now: int) -> tuple[Release, bool]:
        with self._entries.writing(now) as transaction:
            for table in ("charge", "outbox", "stored_answer", "release"):
                transaction.run(f"DELETE FROM {table} WHERE release_id = ?", (asked.release_id,))
        return whole(self, asked, now)

    return _all(
        instead(gate, "STEPS", _READING),
        instead(SqliteLedger, "reserve", reserve),
    )


def _read(case: Case, ports: Ports) -> None:
    decode.read(case)


_READING: _Steps = tuple((name, _read if name == "decode" else step) for name, step in gate.STEPS)


def _noise_again(_: Disks) -> Planted:
    whole = send.message_of

    def message_of(release_id: str, ports: Ports) -> AnswerMessage:
        said = whole(release_id, ports)
        if not said.vector:
            return said
        drawn = bytes([said.vector[0] ^ 1]) + said.vector[1:]
        return AnswerMessage(release_id, said.envelope, drawn)

    return instead(endings, "message_of", message_of)


def _refunding(_: Disks) -> Planted:
    def recover(self: SqliteLedger, now: int) -> tuple[Release, ...]:
        under_way = "(SELECT release_id FROM release WHERE state IN ('RESERVED', 'STARTED'))"
        with self._entries.writing(now) as transaction:
            transaction.run(f"UPDATE charge SET refunded = 1 WHERE release_id IN {under_way}")
            transaction.run("UPDATE release SET state = 'EXPIRED' WHERE state IN ('RESERVED', 'STARTED')")
        return ()

    return instead(SqliteLedger, "recover", recover)


def _apart(_: Disks) -> Planted:
    whole = SqliteLedger.reserve

    def reserve(self: SqliteLedger, asked: Reservation, now: int) -> tuple[Release, bool]:
        release, made = whole(self, asked, now)
        if made:
            rows = self._db.rows("SELECT * FROM charge WHERE release_id = ?", (asked.release_id,))
            with self._entries.writing(now) as transaction:
                transaction.run("DELETE FROM charge WHERE release_id = ?", (asked.release_id,))
            with self._entries.writing(now) as transaction:
                for row in rows:
                    transaction.run("INSERT INTO charge VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        return release, made

    return instead(SqliteLedger, "reserve", reserve)


class _AnyNumber(int):
    def __ne__(self, other: object) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


def _any_frame(_: Disks) -> Planted:
    whole = decode_frame

    def any_number(frame: bytes) -> tuple[int, bytes, Any]:
        number, session, body = whole(frame)
        return _AnyNumber(number), session, body

    return instead(session_module, "decode", any_number)


def _clock_back(_: Disks) -> Planted:
    def spent(self: LedgerReader, scope: str, subject: str, now: int) -> Spent:
        row = self._db.row(
            "SELECT coalesce(sum(rho_nano), 0), coalesce(sum(delta_atto), 0) FROM charge"
            " WHERE scope = ? AND subject = ? AND refunded = 0 AND day <= ?",
            (scope, subject, now // DAY),
        )
        assert row is not None
        return Spent(row[0], row[0], row[1], row[1])

    return instead(LedgerReader, "spent", spent)


def _unkept(_: Disks) -> Planted:
    whole = QueryService.on_answer

    async def on_answer(self: QueryService, node: str, message: AnswerMessage) -> bool:
        self.keeping = asyncio.create_task(whole(self, node, message))  # type: ignore[attr-defined]
        return True

    return instead(QueryService, "on_answer", on_answer)


def _forgetting(_: Disks) -> Planted:
    async def tick(self: QueryService) -> None:
        await self.deliver()
        for release_id in await asyncio.to_thread(self.store.queries.due, OPEN, self.clock()):
            await self.close(release_id)

    return instead(QueryService, "tick", tick)


def _quorum_of_one(_: Disks) -> Planted:
    whole = witnessing.wanted_by

    def wanted_by(governance: Governance, documents: Documents, now: int) -> Wanted | None:
        found = whole(governance, documents, now)
        return found if found is None else Wanted(found.witnesses, 1)

    return instead(witnessing, "wanted_by", wanted_by)


def _signs_anything(_: Disks) -> Planted:
    def add(self: Witness, old_size: int, proof: Sequence[bytes], note: bytes, now: int) -> bytes:
        return cosign(note, self.name, self._key, now)

    return instead(Witness, "add", add)


def _never_freezes(_: Disks) -> Planted:
    return instead(Cosigning, "_freeze", lambda self, theirs, now: None)


def _left_lying(_: Disks) -> Planted:
    return instead(Service, "resume", lambda self, ports: None)


CONTROLS: dict[str, Control] = {
    "sync: the disk is told to sync and nobody does": Control(_lying),
    "commit after send: the answer leaves before it is in the ledger": Control(_before_commit),
    "send before witness: the answer leaves before its head is shown": Control(_before_witness),
    "reused id: the second question under one id takes the place of the first": Control(_replacing),
    "noise twice: what is sent again gets new noise": Control(_noise_again),
    "refund: a start gives back what had STARTED": Control(_refunding),
    "spend apart: release and spend in two transactions": Control(_apart, within=400),
    "replay: a session takes a frame whatever its number": Control(_any_frame),
    "clock: one that is put back refunds": Control(_clock_back),
    "unkept: the coordinator thanks for an answer before it is kept": Control(_unkept),
    "forgotten: a restarted coordinator does not finish what was closing": Control(_forgetting),
    "quorum of one: one witness is enough": Control(_quorum_of_one),
    "signs anything: a witness cosigns whatever head it is shown": Control(_signs_anything),
    "never freezes: a ledger that went back goes on": Control(_never_freezes, within=400),
    "left lying: a restarted node does not take up what was committed": Control(_left_lying),
}
"""What is planted, in words, to what plants it."""

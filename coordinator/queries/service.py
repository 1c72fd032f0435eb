"""Queries in flight. The database is the truth; memory only knows who is waiting."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from coordinator.merge import merge
from coordinator.queries.checks import Checked, Submission
from coordinator.queries.machine import OPEN, VALID_TRANSITIONS, State, before
from coordinator.rosters import Rosters
from coordinator.store import AnswerRow, QueryRow, Store, User
from trustquery.errors import TrustQueryError
from trustquery.identity import Intent, canonical
from trustquery.protocol.answers import KEYED, check_answer, check_vector
from trustquery.protocol.messages import AnswerMessage, Cancel, Message, Offer

__all__ = ["Links", "QueryService"]

_log = structlog.get_logger()


class Links(Protocol):
    """The live streams, as this package needs them."""

    def send(self, node: str, message: Message) -> bool:
        """Queue a message; False when the node is not connected."""
        ...


@dataclass
class QueryService:
    """Takes checked queries, offers them, stores answers and closes at the deadline or when all have answered."""

    store: Store
    rosters: Rosters
    links: Links
    clock: Callable[[], int]

    def __post_init__(self) -> None:
        self._changed: dict[str, asyncio.Event] = {}

    async def submit(self, given: Submission, checked: Checked, user: User) -> QueryRow:
        """Store a query, then offer it to the nodes that it names.

        Raises:
            TrustQueryError: ``node-release-conflict``.
        """
        intent = checked.intent
        row = QueryRow(
            release_id=intent.release_id,
            user_id=user.id,
            project=checked.project.name,
            dataset=checked.query.catalogue_id,
            sql=given.sql,
            query_hash=intent.query_hash,
            plan_hash=intent.plan_hash,
            vector_length=checked.plan.length,
            intent=given.intent,
            permit=checked.project.permit,
            model=given.model,
            nodes=" ".join(intent.nodes),
            state=State.ACCEPTED.value,
            created=self.clock(),
            closes_at=intent.not_after,
            closed=0,
        )
        parameters = json.dumps(given.parameters) if given.parameters else ""
        tables = {table.sha256: canonical.encode(table.document()) for table in checked.inputs}
        if not await asyncio.to_thread(self.store.queries.add, row, parameters=parameters, tables=tables):
            raise TrustQueryError("node-release-conflict")
        _log.info("query-accepted", release=row.release_id, project=row.project, nodes=len(intent.nodes))
        for node in row.named:
            self.links.send(node, self._offer(row))
        await self._move(row.release_id, State.OFFERED)
        return row

    async def offers_for(self, node: str) -> list[Offer]:
        """Open queries that this node has not answered yet: what it is told when it connects."""
        found = []
        for row in await asyncio.to_thread(self.store.queries.in_states, OPEN):
            if node in row.named:
                answered = await asyncio.to_thread(self.store.queries.answered, row.release_id)
                if node not in {answer.node for answer in answered}:
                    found.append(self._offer(row))
        return found

    async def on_answer(self, node: str, message: AnswerMessage) -> bool:
        """Store a node's answer.

        Returns:
            Whether the answer is durably here (now or from before), so that the node may be told.
        """
        row = await asyncio.to_thread(self.store.queries.get, message.release_id)
        if row is None or node not in row.named:
            _log.warning("answer-unasked", node=node)
            return False
        try:
            status, rho_nano = self._verify(node, row, message)
        except TrustQueryError as error:
            # Kept, so that the node stops sending it; the merge verifies again and leaves it out.
            _log.warning("answer-invalid", node=node, release=row.release_id, code=error.code)
            status, rho_nano = "invalid", 0
        kept = AnswerRow(
            release_id=row.release_id,
            node=node,
            envelope=message.envelope,
            vector=message.vector,
            status=status,
            rho_nano=rho_nano,
            late=False,
            received=self.clock(),
        )
        if await asyncio.to_thread(self.store.queries.add_answer, kept, in_time=OPEN):
            _log.info("answer-stored", node=node, release=row.release_id, status=status, late=kept.late)
            answered = await asyncio.to_thread(self.store.queries.answered, row.release_id)
            if {answer.node for answer in answered} == set(row.named):
                await self.close(row.release_id)
            self._signal(row.release_id)
        return True

    def _verify(self, node: str, row: QueryRow, message: AnswerMessage) -> tuple[str, int]:
        entry = self.rosters.current().node(node)
        if entry is None:
            raise TrustQueryError("node-unknown", node=node)
        answer = check_answer(message.envelope, node=entry, intent=_intent(row), vector_length=row.vector_length)
        check_vector(answer, message.vector, keyed=row.vector_length == KEYED)
        return answer.status, answer.rho_nano

    async def cancel(self, row: QueryRow) -> bool:
        """Close without a result, at its analyst's wish; False when it had closed already."""
        if not await self._move(row.release_id, State.CANCELLED):
            return False
        self._tell(row)
        self._signal(row.release_id)
        return True

    async def close(self, release_id: str) -> None:
        """Stop counting answers, merge what there is, keep the result. Safe to repeat after a crash in between."""
        if await self._move(release_id, State.CLOSING):
            await self._finish(release_id)

    async def _finish(self, release_id: str) -> None:
        row = await asyncio.to_thread(self.store.queries.get, release_id)
        if row is None or row.state != State.CLOSING:
            return
        answers = await asyncio.to_thread(self.store.queries.answers, release_id)
        roster = self.rosters.current()
        nodes = {entry.node: entry for entry in roster.nodes if entry.node in row.named}
        result = await asyncio.to_thread(merge, _intent(row), row.vector_length, answers, nodes)
        after = State.EXPIRED if result["vector"] is None else State.CLOSED
        await self._move(release_id, after, json.dumps(result).encode())
        _log.info("query-closed", release=release_id, state=after.value, answered=len(result["trusts"]))
        self._tell(row)
        self._signal(release_id)

    async def tick(self) -> None:
        """Close what is due, finish what a crash interrupted. Called twice a second, and so also after a restart."""
        for row in await asyncio.to_thread(self.store.queries.in_states, (State.CLOSING,)):
            await self._finish(row.release_id)
        now = self.clock()
        for row in await asyncio.to_thread(self.store.queries.in_states, OPEN):
            if row.closes_at <= now:
                await self.close(row.release_id)

    async def wait(self, release_id: str, seen: int, seconds: float) -> bool:
        """Return when the query has closed or has more than ``seen`` answers, or False after a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    # Taken before the look, so that no news falls between the look and the wait.
                    event = self._changed.setdefault(release_id, asyncio.Event())
                    row = await asyncio.to_thread(self.store.queries.get, release_id)
                    answered = await asyncio.to_thread(self.store.queries.answered, release_id)
                    if row is None or not VALID_TRANSITIONS[State(row.state)] or len(answered) > seen:
                        self._changed.pop(release_id, None)
                        return True
                    await event.wait()
        return False

    def _signal(self, release_id: str) -> None:
        event = self._changed.pop(release_id, None)
        if event is not None:
            event.set()

    def _tell(self, row: QueryRow) -> None:
        for node in row.named:
            self.links.send(node, Cancel(row.release_id))

    def _offer(self, row: QueryRow) -> Offer:
        left = max(row.closes_at - self.clock(), 0)
        return Offer(row.intent, row.permit, row.model, min(left * 1000, 2**32 - 1))

    async def _move(self, release_id: str, after: State, result: bytes | None = None) -> bool:
        closed = 0 if VALID_TRANSITIONS[after] else self.clock()
        return await asyncio.to_thread(
            self.store.queries.move, release_id, before=before(after), after=after, closed=closed, result=result
        )


def _intent(row: QueryRow) -> Intent:
    return Intent.read(row.intent)

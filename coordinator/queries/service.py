"""Queries in flight. The database is the truth; memory only knows who is waiting."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from coordinator.merge import merge
from coordinator.queries.checks import Checked, Submission
from coordinator.queries.machine import OPEN, VALID_TRANSITIONS, State, before
from coordinator.rosters import Rosters
from coordinator.store import AnswerRow, QueryRow, ReviewRow, Store, User
from trustquery.errors import TrustQueryError
from trustquery.identity import Intent, canonical
from trustquery.protocol.answers import KEYED, check_answer, check_vector
from trustquery.protocol.messages import AnswerMessage, Cancel, Message, Offer

__all__ = ["Line", "Links", "QueryService"]

_log = structlog.get_logger()
_MOST_HEAD_BYTES = 64 * 1024
_MOVING = OPEN | {State.CLOSING}
"""States whose end is worth waiting for: a review ends at its deadline, which is known."""


class Line(Protocol):
    """One node's stream, as this package needs it."""

    @property
    def node(self) -> str:
        """The node's name."""
        ...

    @property
    def told(self) -> set[str]:
        """Release ids of the queries that it was offered, or had answered before, until they end."""
        ...

    def send(self, message: Message) -> bool:
        """Queue a message."""
        ...


class Links(Protocol):
    """The live streams of this process."""

    def lines(self) -> Sequence[Line]:
        """Those that may be offered queries."""
        ...


@dataclass
class QueryService:
    """Takes checked queries, offers them, stores answers and closes at the deadline or when all have answered.

    Attributes:
        record: binds the record of its disclosure criteria to a result that nobody reviews, before anybody can read it.
    """

    store: Store
    rosters: Rosters
    links: Links
    clock: Callable[[], int]
    record: Callable[[QueryRow, bytes], None]

    def __post_init__(self) -> None:
        self._changed: dict[str, asyncio.Event] = {}

    async def submit(
        self, given: Submission, checked: Checked, user: User, review: ReviewRow | None = None
    ) -> QueryRow:
        """Store a query, then offer it to the nodes that it names.

        Args:
            review: where two output checkers are to look at its merged table; kept with it, before any trust is asked.

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
        if not await asyncio.to_thread(
            self.store.queries.add, row, parameters=parameters, tables=tables, review=review
        ):
            raise TrustQueryError("node-release-conflict")
        _log.info("query-accepted", release=row.release_id, project=row.project, nodes=len(intent.nodes))
        await self._spread(row.release_id)
        await self._move(row.release_id, State.OFFERED)
        return row

    async def deliver(self) -> None:
        """Offer what is open to the nodes whose streams are here, each once a stream, and tell them of what ended.

        What is open stands in the database, so that it does not matter at which replica a query was submitted, or
        whether one was killed before it had offered it. Called when a stream begins, at every word of another replica,
        and twice a second.
        """
        lines = self.links.lines()
        before = {line: set(line.told) for line in lines}
        named = await asyncio.to_thread(self.store.queries.named_in, OPEN)
        for release_id, nodes in named.items():
            new = [line for line in lines if line.node in nodes and release_id not in line.told]
            if new:
                await self._tell_of(release_id, new)
        for line, told in before.items():
            for release_id in told - named.keys():
                line.told.discard(release_id)
                line.send(Cancel(release_id))

    async def _tell_of(self, release_id: str, lines: Sequence[Line]) -> None:
        for line in lines:  # before anything is waited for, so that nobody else offers it meanwhile
            line.told.add(release_id)
        try:
            row = await asyncio.to_thread(self.store.queries.get, release_id)
            answered = await asyncio.to_thread(self.store.queries.answered, release_id)
        except Exception:
            for line in lines:
                line.told.discard(release_id)
            raise
        done = {answer.node for answer in answered}
        for line in lines:
            if row is not None and line.node not in done:
                line.send(self._offer(row))

    async def _spread(self, release_id: str) -> None:
        """Something happened to a query: whoever waits is woken, the nodes here and the other replicas are told."""
        self.heard(release_id)
        await asyncio.to_thread(self.store.signals.tell, f"query {release_id}")
        try:
            await self.deliver()
        except Exception:
            # What happened is durable; it is delivered at the next look.
            _log.exception("delivery-failed", release=release_id)

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
        # Longer than any note may be: it would prove nothing to anybody.
        head = message.head if len(message.head) <= _MOST_HEAD_BYTES else b""
        if await asyncio.to_thread(self.store.queries.add_answer, kept, in_time=OPEN, head=head):
            _log.info("answer-stored", node=node, release=row.release_id, status=status, late=kept.late)
            answered = await asyncio.to_thread(self.store.queries.answered, row.release_id)
            if {answer.node for answer in answered} == set(row.named):
                await self.close(row.release_id)
            self.heard(row.release_id)
            await asyncio.to_thread(self.store.signals.tell, f"query {row.release_id}")
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
        await self._spread(row.release_id)
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
        heads = await asyncio.to_thread(self.store.witnessed.heads, release_id)
        result = await asyncio.to_thread(merge, _intent(row), row.vector_length, answers, nodes, heads)
        content = json.dumps(result).encode()
        if result["vector"] is None:
            await self._move(release_id, State.EXPIRED, content)
            after = State.EXPIRED.value
        else:
            # Whether it is reviewed was kept with the query before any trust was asked: no figure decides it.
            if await asyncio.to_thread(self.store.reviews.get, release_id) is None:
                await self._record(row, content)
            found = await asyncio.to_thread(
                self.store.queries.finish,
                release_id,
                before=State.CLOSING,
                after=State.CLOSED,
                review=State.IN_REVIEW,
                closed=self.clock(),
                result=content,
            )
            if found is None:
                return
            after = found
        _log.info("query-closed", release=release_id, state=after, answered=len(result["trusts"]))
        await self._spread(release_id)

    async def _record(self, row: QueryRow, content: bytes) -> None:
        try:
            await asyncio.to_thread(self.record, row, content)
        except TrustQueryError as error:
            # The result stands on what the trusts signed, and whoever asked makes the same record from that.
            _log.warning("criteria-not-recorded", release=row.release_id, code=error.code)

    async def tick(self, *, leads: bool = True) -> None:
        """Close what is due, finish what a crash interrupted. Called twice a second, and so also after a restart.

        Args:
            leads: whether this replica does what only one need do; every other one delivers all the same.
        """
        await self.deliver()
        if not leads:
            return
        for release_id in await asyncio.to_thread(self.store.queries.named_in, (State.CLOSING,)):
            await self._finish(release_id)
        for release_id in await asyncio.to_thread(self.store.queries.due, OPEN, self.clock()):
            await self.close(release_id)

    async def wait(self, release_id: str, seen: int, seconds: float) -> bool:
        """Return when the query has closed, is in review or has more than ``seen`` answers, or False after a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    # Taken before the look, so that no news falls between the look and the wait.
                    event = self._changed.setdefault(release_id, asyncio.Event())
                    row = await asyncio.to_thread(self.store.queries.get, release_id)
                    answered = await asyncio.to_thread(self.store.queries.answered, release_id)
                    if row is None or State(row.state) not in _MOVING or len(answered) > seen:
                        self._changed.pop(release_id, None)
                        return True
                    await event.wait()
        return False

    def heard(self, release_id: str) -> None:
        """Something happened to a query, here or at another replica: wake whoever waits for it."""
        event = self._changed.pop(release_id, None)
        if event is not None:
            event.set()

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

"""One connection with its session, from dialling to the end; two of them overlap where a certificate was renewed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from node_agent.link.session import Session
from node_agent.link.streams import Stream
from trustquery.errors import TrustQueryError
from trustquery.protocol.messages import Goodbye

__all__ = ["Running"]

RETIRE_SECONDS = 5.0


class Running:
    """A stream and the session on it, whatever carries them.

    Args:
        ended: called with the session when it has ended.
    """

    def __init__(self, stream: Stream, session: Session, ended: Callable[[Session], None]) -> None:
        self._stream = stream
        self.session = session
        self._ended = ended
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self.session.run()
        finally:
            # Cut at once: what a stop has held back must not leave from a buffer of the transport.
            await self._stream.close()
            self._ended(self.session)

    async def retire(self) -> None:
        """Let what is queued go out, say goodbye, hear the other side out, hang up."""
        self.session.send(Goodbye("renewed"))
        await asyncio.wait({self.task}, timeout=RETIRE_SECONDS)
        await self.end()

    async def end(self) -> None:
        """Hang up now; how the session ended no longer matters."""
        self.task.cancel()
        with contextlib.suppress(TrustQueryError, asyncio.CancelledError):
            await self.task

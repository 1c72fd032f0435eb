"""A door of this machine, for gRPC alone, behind which a CONNECT tunnel leads to the coordinator.

gRPC can speak to a proxy itself, but it reads the environment on its own, takes the password in a channel argument that
it may print, and says 407 only in a text. What passes here is TLS between the node and the coordinator: the relay can
neither read nor change it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from pathlib import Path

from node_agent.network.aside import aside
from node_agent.network.cutting import cut
from node_agent.network.dial import Proxy, dial
from trustquery.errors import TrustQueryError

__all__ = ["Relay"]

_CHUNK = 64 * 1024


class Relay:
    """Open one with ``start``; ``problem`` says why the last tunnel could not be had.

    Args:
        address: host:port to lead to.
        proxy: through which.
        seconds: for one tunnel to open.
        parent: where its socket file stands; None for the system's temporary folder.
    """

    def __init__(self, address: str, proxy: Proxy, seconds: float, parent: Path | None) -> None:
        self._address, self._proxy, self._seconds, self._parent = address, proxy, seconds, parent
        self._folder: Path | None = None
        self._handle = -1
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.problem: TrustQueryError | None = None

    async def start(self) -> str:
        """Listen on a socket file that only this user can reach; returns its gRPC target.

        Raises:
            OSError: the file cannot be made.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="door-", dir=self._parent))
        # By the folder's handle: a socket's path may have 107 bytes, and a home's may be longer.
        self._handle = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        path = f"/proc/self/fd/{self._handle}/door"
        self._server = await asyncio.start_unix_server(self._serve, path=path, limit=_CHUNK)
        return f"unix:{path}"

    async def close(self) -> None:
        """Cut every tunnel at once: what still waits in a buffer here does not leave."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._handle >= 0:
            os.close(self._handle)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # In a task of its own, so that ``close`` can end it.
        task = asyncio.create_task(self._tunnel(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        away: asyncio.StreamWriter | None = None
        try:
            opening = asyncio.wrap_future(
                aside(lambda: dial(self._address, self._proxy, self._seconds), socket.socket.close)
            )
            connection = await asyncio.wait_for(opening, self._seconds)
            connection.setblocking(False)
            self.problem = None
            back, away = await asyncio.open_connection(sock=connection, limit=_CHUNK)
            await asyncio.gather(_copy(reader, away), _copy(back, writer))
        except TrustQueryError as error:
            self.problem = error
        except TimeoutError:
            self.problem = TrustQueryError("node-proxy-unreachable", proxy=self._proxy.address)
        except (OSError, asyncio.CancelledError):
            # Either end has gone, or the relay is closed: gRPC sees the end of its connection.
            pass
        finally:
            cut(writer.transport)
            if away is not None:
                cut(away.transport)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    # One end has said all: the tunnel has no use any more, and neither protocol inside closes by halves.
    raise ConnectionResetError

"""A small real HTTP CONNECT proxy with the habits of the ones that trusts have, good and bad.

As a program: ``python -m tests.lib.connect_proxy HOST:PORT MODE [USER PASSWORD]``; beside a test: ``ConnectProxy``.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import ssl
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from trustquery.identity.certificates import Authority, new_tls_key

__all__ = ["GATEWAY", "ConnectProxy", "Mode", "connect_proxy"]

GATEWAY = "Example Web Gateway"
Mode = Literal["ok", "refuse", "breaks-http2", "inspects", "black-hole", "slow"]
_H2 = b"\x02h2"
"""How ALPN in a ClientHello offers HTTP/2."""


class ConnectProxy:
    """The proxy.

    Args:
        mode: ``ok``; ``refuse`` answers 403; ``breaks-http2`` opens tunnels and resets those that offer HTTP/2;
            ``inspects`` ends TLS with certificates of its own; ``black-hole`` takes connections and says nothing;
            ``slow`` answers one byte a second, without end.
        user: who may use it, with ``password``; "" for everybody.

    Attributes:
        heads: the head of every request.
        tunnels: addresses that a tunnel was opened to.
        reset: how many tunnels were reset because they offered HTTP/2.
    """

    def __init__(self, mode: Mode = "ok", user: str = "", password: str = "") -> None:
        self.mode, self._user, self._password = mode, user, password
        self.heads: list[str] = []
        self.tunnels: list[str] = []
        self.reset = 0
        self.port = 0
        self._authority = Authority.generate(GATEWAY, datetime.datetime.now(datetime.UTC))
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def authority_pem(self) -> bytes:
        """The authority of the certificates that an inspecting proxy makes."""
        return self._authority.certificate_pem

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Cut everything."""
        self._server.close()
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                await self._request(reader, writer)
        finally:
            writer.transport.abort()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        self.heads.append(head)
        if self.mode == "black-hole":
            await asyncio.sleep(3_600)
        while self.mode == "slow":
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(1)
        wanted = "Basic " + base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        if self._user and f"Proxy-Authorization: {wanted}\r\n" not in head:
            writer.write(b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="p"\r\n\r\n')
            return await self._end(writer)
        if self.mode == "refuse":
            writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return await self._end(writer)
        address = head.split(" ")[1]
        host, _, port = address.rpartition(":")
        try:
            far_reader, far_writer = await asyncio.open_connection(
                host.strip("[]"), int(port), ssl=_trusting() if self.mode == "inspects" else None
            )
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return await self._end(writer)
        self.tunnels.append(address)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        try:
            await self._through(host, reader, writer, far_reader, far_writer)
        finally:
            far_writer.transport.abort()
        return None

    async def _through(
        self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader, far_writer: asyncio.StreamWriter,
    ) -> None:  # fmt: skip
        if self.mode == "inspects":
            await writer.start_tls(self._in_place_of(host))
        if self.mode == "breaks-http2":
            hello = await reader.read(16 * 1024)
            if _H2 in hello:
                self.reset += 1
                return
            far_writer.write(hello)
        copies = [
            asyncio.ensure_future(_copy(reader, far_writer)), asyncio.ensure_future(_copy(far_reader, writer))
        ]  # fmt: skip
        try:
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for copy in copies:
                copy.cancel()
            await asyncio.gather(*copies, return_exceptions=True)

    @staticmethod
    async def _end(writer: asyncio.StreamWriter) -> None:
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def _in_place_of(self, host: str) -> ssl.SSLContext:
        key = new_tls_key()
        made = self._authority.issue_server(key, hosts=[host], now=datetime.datetime.now(datetime.UTC))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write(made + key)
            file.flush()
            context.load_cert_chain(file.name)
        return context


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(64 * 1024):
        writer.write(data)
        await writer.drain()


@contextmanager
def connect_proxy(mode: Mode = "ok", user: str = "", password: str = "") -> Iterator[ConnectProxy]:
    """A proxy on 127.0.0.1, in a thread beside the test."""
    loop = asyncio.new_event_loop()
    found = ConnectProxy(mode, user, password)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(found.start(), loop).result(10)
    try:
        yield found
    finally:

        async def end() -> None:
            found.stop()
            await asyncio.sleep(0.05)

        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _main(host: str, port: int, mode: Mode, user: str, password: str) -> None:
    proxy = ConnectProxy(mode, user, password)
    await proxy.start(host, port)
    print("proxy is up", flush=True)
    while True:
        await asyncio.sleep(0.2)
        for address in proxy.tunnels:
            print("tunnel", address, flush=True)
        proxy.tunnels.clear()


if __name__ == "__main__":
    _host, _, _port = sys.argv[1].rpartition(":")
    _given = [*sys.argv[3:], "", ""]
    asyncio.run(_main(_host, int(_port), sys.argv[2], _given[0], _given[1]))  # type: ignore[arg-type]

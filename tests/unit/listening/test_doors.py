"""Who is one too many at a door, and how long a connection may take: with real sockets, and limits in seconds."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from trustquery.listening.doors import Door, _source, listen
from trustquery.listening.http import QuietServer
from trustquery.listening.limits import Limits


@contextmanager
def door(limits: Limits) -> Iterator[Door]:
    (found,) = listen("127.0.0.1", 0, limits)
    assert isinstance(found, Door)
    try:
        yield found
    finally:
        found.close()


def dial(place: Door, source: str) -> socket.socket:
    return socket.create_connection(place.getsockname(), 5, (source, 0))


def accepted(place: Door) -> list[socket.socket]:
    """Everybody who is let in now."""
    found = []
    try:
        while True:
            found.append(place.accept()[0])
    except BlockingIOError:
        return found


def test_one_source_takes_no_more_than_its_share() -> None:
    with door(Limits(connections=10, connections_per_source=3)) as place:
        mine = [dial(place, "127.0.0.2") for _ in range(9)]
        other = dial(place, "127.0.0.3")
        inside = accepted(place)
        assert (len(inside), place.inside, place.turned_away) == (4, 4, 6)
        assert other.getsockname() in [guest.getpeername() for guest in inside]
        # Who is turned away is told at once, by the end of the connection.
        assert sum(ended(item) for item in mine) == 6
        for guest in inside:
            guest.close()
            guest.close()
        assert place.inside == 0
        again = dial(place, "127.0.0.2")
        (guest,) = accepted(place)
        for item in (*mine, other, again, guest):
            item.close()
        assert place.inside == 0


def ended(item: socket.socket) -> bool:
    item.settimeout(0.2)
    try:
        return item.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_all_together_take_no_more_than_there_is_room_for() -> None:
    with door(Limits(connections=10, connections_per_source=100)) as place:
        crowd = [dial(place, f"127.0.0.{2 + number}") for number in range(15)]
        inside = accepted(place)
        assert (len(inside), place.turned_away) == (10, 5)
        for item in (*crowd, *inside):
            item.close()


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"), ("2001:db8:0:1::1", "2001:db8:0:1::/64"), ("fe80::1%eth0", "fe80::/64"),
    ],
)  # fmt: skip
def test_whose_a_connection_is(address: str, source: str) -> None:
    """Whoever has one IPv6 address has 2^64 of them."""
    assert _source(address) == source


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n"


def silent(_: int) -> bytes:
    return b""


def slow_head(_: int) -> bytes:
    return HEAD if _ == 0 else b"X: y\r\n"


def slow_body(_: int) -> bytes:
    return HEAD + b"\r\n" if _ == 0 else b"x"


def second_head(_: int) -> bytes:
    return HEAD + b"\r\n" + bytes(900) if _ == 0 else b"P"


def short_requests(_: int) -> bytes:
    return HEAD + b"\r\n" + bytes(900)


async def lasted(limits: Limits, says: Callable[[int], bytes], most: float) -> float:
    """Seconds that a connection lived which says so much, every fifth of a second; ``most`` where it lives on."""
    server = QuietServer(
        Starlette(routes=[Route("/", page, methods=["POST"])]), "127.0.0.1", 0, limits,
        log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1,
    )  # fmt: skip
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began, step = time.monotonic(), 0

    async def over() -> None:
        try:
            while await reader.read(4_096):
                pass
        except OSError:
            pass

    end = asyncio.create_task(over())
    while not end.done() and time.monotonic() < began + most:
        writer.write(says(step))
        step += 1
        await asyncio.wait({end}, timeout=0.2)
    found = time.monotonic() - began
    writer.close()
    end.cancel()
    server.should_exit = True
    await serving
    return found


@pytest.mark.acceptance("AVL-06")
@pytest.mark.parametrize("says", [silent, slow_head, slow_body, second_head])
def test_what_is_slow_ends(says: Callable[[int], bytes]) -> None:
    """And the control: with more patience, or a request in time each time, it would still be there."""

    async def both() -> list[float]:
        hasty, patient = Limits(head_seconds=1, body_seconds=1), Limits(head_seconds=60, body_seconds=600)
        return list(await asyncio.gather(lasted(hasty, says, 30), lasted(patient, says, 4)))

    hasty, patient = asyncio.run(both())
    assert hasty < 20
    assert patient >= 4


def test_who_asks_in_time_may_stay() -> None:
    assert asyncio.run(lasted(Limits(head_seconds=1, body_seconds=1), short_requests, 4)) >= 4

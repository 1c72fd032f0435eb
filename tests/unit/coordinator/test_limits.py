"""Limits: at n-1, n and n+1."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from coordinator.api.limits import BodyLimit, RateLimit
from trustquery.errors import TrustQueryError


def test_a_burst_and_then_a_rate() -> None:
    now = 100.0
    limit = RateLimit(burst=3, per_minute=60, clock=lambda: now)
    for _ in range(3):
        limit.take("a")
    with pytest.raises(TrustQueryError) as caught:
        limit.take("a")
    assert caught.value.problem.entry.http == 429
    limit.take("b")
    now += 0.99
    with pytest.raises(TrustQueryError):
        limit.take("a")
    now += 0.02
    limit.take("a")
    now += 1000
    for _ in range(3):
        limit.take("a")
    with pytest.raises(TrustQueryError):
        limit.take("a")


def test_it_does_not_grow_without_limit() -> None:
    limit = RateLimit(burst=1, per_minute=1, clock=lambda: 0.0)
    for number in range(3 * RateLimit._MOST_KEYS):
        limit.take(str(number))
    assert len(limit._left) <= RateLimit._MOST_KEYS


async def _post(body: bytes, *, chunked: bool) -> httpx.Response:
    async def echo(request: Request) -> PlainTextResponse:
        try:
            return PlainTextResponse(str(len(await request.body())))
        except Exception:
            return PlainTextResponse("the application's own answer", 400)

    app = BodyLimit(Starlette(routes=[Route("/", echo, methods=["POST"])]), limit=100)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 30):
            yield body[start : start + 30]

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.post("/", content=pieces() if chunked else body)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("length", "status"), [(99, 200), (100, 200), (101, 413), (5000, 413)])
def test_a_body_is_read_up_to_the_limit(length: int, status: int, chunked: bool) -> None:
    response = asyncio.run(_post(b"x" * length, chunked=chunked))
    assert response.status_code == status
    if status == 413:
        assert response.json()["problems"][0]["code"] == "usage-too-large"

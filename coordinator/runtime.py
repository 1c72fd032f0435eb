"""The running coordinator: both listeners and the housekeeping, in one event loop, stopped by one signal."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
import time
from collections.abc import Callable, Iterator

import grpc
import structlog
import uvicorn
from starlette.types import ASGIApp

from coordinator.api import make_app
from coordinator.api.context import Api
from coordinator.api.limits import RateLimit
from coordinator.fleet.links import Fleet
from coordinator.fleet.previews import Previews
from coordinator.fleet.server import make_server
from coordinator.fleet.session import SessionHandler
from coordinator.projects.office import ProjectOffice
from coordinator.queries import QueryService
from coordinator.services import Base, wall_clock
from trustquery.errors import TrustQueryError
from trustquery.identity import read_private_file

__all__ = ["serve"]

HOUSEKEEPING_SECONDS = 0.5
PASSES_A_LOOK = 10
"""Passes of housekeeping from one look at the projects to the next."""
GOODBYE_SECONDS = 2.0
_log = structlog.get_logger()


class _Https(uvicorn.Server):
    """uvicorn without its own signal handlers: one place decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def _tls13(config: uvicorn.Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _https(base: Base, app: ASGIApp) -> _Https:
    return _Https(
        uvicorn.Config(
            app,
            host=base.settings.api.host,
            port=base.settings.api.port,
            ssl_keyfile=str(base.home.server_key),
            ssl_certfile=str(base.home.server),
            ssl_context_factory=_tls13,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=3,
            limit_concurrency=500,
        )
    )


async def serve(base: Base, stop: asyncio.Event, started: Callable[[], None]) -> None:
    """Run until ``stop`` is set.

    Args:
        started: called once both listeners are up.

    Raises:
        TrustQueryError: ``config-invalid`` when an address cannot be bound.
    """
    fleet = Fleet()
    previews = Previews(fleet)
    queries = QueryService(base.store, base.rosters, fleet, wall_clock)
    office = ProjectOffice(base.store, base.rosters, base.settings.federation, wall_clock)
    stance_rate = RateLimit(burst=1_000, per_minute=60, clock=time.monotonic)
    handler = SessionHandler(
        base.settings.federation, base.store, base.rosters, fleet, previews, queries, office.stances, stance_rate.take
    )
    nodes = _nodes(base, handler)
    login_rate = RateLimit(burst=20, per_minute=30, clock=time.monotonic)
    work_rate = RateLimit(burst=60, per_minute=120, clock=time.monotonic)
    https = _https(base, make_app(Api(base, fleet, previews, queries, office, login_rate, work_rate)))
    await nodes.start()
    tasks = [
        asyncio.create_task(https.serve()),
        asyncio.create_task(_housekeeping(base, fleet, handler, queries, office)),
    ]
    stopping = asyncio.create_task(stop.wait())
    try:
        while not https.started and not tasks[0].done():
            await asyncio.sleep(0.01)
        if tasks[0].done():
            raise _cannot_bind(base.settings.api.listen)
        started()
        await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        fleet.say_goodbye("restart")
        https.should_exit = True
        tasks[1].cancel()
        stopping.cancel()
        await nodes.stop(GOODBYE_SECONDS)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        base.store.close()
    for result in results:
        if isinstance(result, Exception):
            raise result


def _nodes(base: Base, handler: SessionHandler) -> grpc.aio.Server:
    try:
        return make_server(
            handler,
            address=base.settings.nodes.listen,
            key_pem=read_private_file(base.home.server_key),
            certificate_pem=base.home.server.read_bytes(),
            authority_pem=base.home.authority.read_bytes(),
        )
    except RuntimeError as error:
        raise _cannot_bind(base.settings.nodes.listen) from error


def _cannot_bind(address: str) -> TrustQueryError:
    return TrustQueryError("config-invalid", place="coordinator.toml", problem=f"cannot listen on {address}")


async def _housekeeping(
    base: Base, fleet: Fleet, handler: SessionHandler, queries: QueryService, office: ProjectOffice
) -> None:
    """Close what is due; pass on what changed in the store; cut nodes that were revoked."""
    known: object = None
    for number in itertools.count():
        try:
            await queries.tick()
            if number % PASSES_A_LOOK == 0:
                # Whoever asks looks at the clock as well: this only brings the register up to date.
                await asyncio.to_thread(office.tick)
            await asyncio.to_thread(base.rosters.refresh)
            documents = await asyncio.to_thread(handler.documents)
            if known is not None and documents != known:
                fleet.broadcast(documents)
            known = documents
            for row in await asyncio.to_thread(base.store.nodes.everyone):
                link = fleet.link(row.node)
                if link is not None and (row.status != "approved" or row.serial != link.serial):
                    _log.warning("node-cut", node=row.node)
                    link.end("auth-certificate")
        except Exception:
            # A full disk or a locked database must not end the process: streams stay up, and it is tried again.
            _log.exception("housekeeping-failed")
        await asyncio.sleep(HOUSEKEEPING_SECONDS)

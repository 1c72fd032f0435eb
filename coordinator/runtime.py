"""The running coordinator: both listeners and the housekeeping, in one event loop, stopped by one signal."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import itertools
import ssl
import threading
import time
from collections.abc import Callable
from functools import partial

import grpc
import structlog
import uvicorn
from starlette.types import ASGIApp
from websockets.asyncio.server import Server

from coordinator.api import make_app
from coordinator.api.context import Api
from coordinator.api.limits import Rate, RateLimit, SharedRate
from coordinator.certificates import ServerCertificate
from coordinator.fleet.links import Fleet
from coordinator.fleet.log_publishing import Publisher
from coordinator.fleet.previews import Previews
from coordinator.fleet.remote_witnesses import remotes
from coordinator.fleet.server import make_server
from coordinator.fleet.session import SessionHandler
from coordinator.fleet.sharing import Sharing
from coordinator.fleet.websocket import session_context, start_websocket
from coordinator.fleet.witnessing import Relay
from coordinator.projects.office import ProjectOffice
from coordinator.projects.releases import record_criteria
from coordinator.projects.reviewing import ReviewDesk
from coordinator.queries import QueryService
from coordinator.repairing import behind_of, keep_behind
from coordinator.retention import LOOK_SECONDS, Retention
from coordinator.services import Base, wall_clock
from coordinator.signin.opening import open_desk, open_local
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey
from trustquery.identity.warnings import warnings_of
from trustquery.listening.http import QuietServer
from trustquery.log import coordinator_origin
from trustquery.protocol.witnessing import Witnessing

__all__ = ["serve"]

HOUSEKEEPING_SECONDS = 0.5
PASSES_A_LOOK = 10
"""Passes of housekeeping from one look at the projects to the next."""
PASSES_A_WARNING = 7_200
GOODBYE_SECONDS = 2.0
CERTIFICATE_SECONDS = 60.0
_log = structlog.get_logger()


def _tls13(config: uvicorn.Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _https(base: Base, app: ASGIApp) -> QuietServer:
    return QuietServer(
        app,
        base.settings.api.host,
        base.settings.api.port,
        base.settings.limits,
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
    queries = QueryService(base.store, base.rosters, fleet, wall_clock, partial(record_criteria, base))
    office = ProjectOffice(base.store, base.rosters, base.settings.federation, wall_clock)
    stance_rate = RateLimit(burst=1_000, per_minute=60, clock=time.monotonic)
    renew_rate = RateLimit(burst=20, per_minute=20, clock=time.monotonic)

    def renew(node: str, request_pem: bytes) -> bytes:
        renew_rate.take(node)
        return base.desk.renew(node, request_pem)

    witness_rate = RateLimit(burst=2_000, per_minute=6_000, clock=time.monotonic)

    def forked(code: str, place: str, _data: bytes) -> None:
        _log.warning("fork-refused", code=code, log=place)

    own = Witnessing(
        coordinator_origin(base.settings.federation),
        SigningKey.load(base.home.key),
        base.store.witnessed,
        base.rosters.current,
        lambda: False,
        forked,
        wall_clock,
    )
    alone = remotes(base.home, base.settings.log)
    by_name = {item.key.name: item for item in alone}
    relay = Relay(base.settings.federation, fleet, own, witness_rate.take, time.monotonic, by_name)
    publisher = Publisher(
        base.settings.federation,
        lambda: base.audit_log,
        fleet,
        relay,
        base.rosters,
        alone,
        base.settings.log.needed,
        behind=behind_of(base.home),
        keep=partial(keep_behind, base.home),
    )
    sharing = Sharing(base.store, fleet, previews, relay, base.settings.nodes.public)
    handler = SessionHandler(
        base.settings.federation,
        base.store,
        base.rosters,
        base.statements,
        fleet,
        previews,
        queries,
        office.stances,
        stance_rate.take,
        renew,
        relay,
        sharing,
    )
    shown = ServerCertificate(base.home, base.settings, base.desk.authority)
    nodes = _nodes(base, handler, shown)
    # A sign-in with a browser is about eight requests.
    login_rate = _rate(base, "login", burst=80, per_minute=80)
    local = open_local(base.settings, base.store, wall_clock)
    signin = open_desk(base.home, base.settings, base.store, wall_clock, local=local)
    work_rate = _rate(base, "work", burst=60, per_minute=120)
    https = _https(base, make_app(Api(base, fleet, previews, queries, office, login_rate, work_rate, signin, local)))
    await nodes.start()
    websockets: list[Server] = []
    websocket_tls = _websocket_tls(base)
    tasks = [
        asyncio.create_task(https.serve()),
        asyncio.create_task(_housekeeping(base, fleet, handler, queries, office, sharing)),
        asyncio.create_task(_keep_certificate(shown, https, websocket_tls)),
        asyncio.create_task(_publish(base, publisher, base.settings.log.seconds)),
        asyncio.create_task(_follow(base, queries, sharing)),
    ]
    stopping = asyncio.create_task(stop.wait())
    try:
        while not https.started and not tasks[0].done():
            await asyncio.sleep(0.01)
        if tasks[0].done():
            raise _cannot_bind(base.settings.api.listen)
        # The last to open and the first to close: a node that finds it open may take it that gRPC is up as well.
        websockets = await _websocket(base, handler, websocket_tls)
        started()
        await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        fleet.say_goodbye("restart")
        for websocket in websockets:
            websocket.close(close_connections=False)
        https.should_exit = True
        for task in (*tasks[1:], stopping):
            task.cancel()
        await nodes.stop(GOODBYE_SECONDS)
        for websocket in websockets:
            websocket.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(Exception):  # the database is away: the others notice that this one has gone
            await sharing.leave()
        base.store.close()
    for result in results:
        if isinstance(result, Exception):
            raise result


def _rate(base: Base, name: str, *, burst: int, per_minute: float) -> Rate:
    """Counted in this process, or where there may be several by all of them together."""
    if base.store.sqlite:
        return RateLimit(burst=burst, per_minute=per_minute, clock=time.monotonic)
    return SharedRate(base.store.fleet, name, burst=burst, per_minute=per_minute, clock=time.monotonic)


def _nodes(base: Base, handler: SessionHandler, shown: ServerCertificate) -> grpc.aio.Server:
    try:
        return make_server(
            handler,
            address=base.settings.nodes.listen,
            credentials=shown.credentials(),
            limits=base.settings.limits,
        )
    except RuntimeError as error:
        raise _cannot_bind(base.settings.nodes.listen) from error


def _websocket_tls(base: Base) -> ssl.SSLContext | None:
    if base.settings.websocket is None:
        return None
    return session_context(base.home.server, base.home.server_key, base.home.authority)


async def _websocket(base: Base, handler: SessionHandler, tls: ssl.SSLContext | None) -> list[Server]:
    endpoint = base.settings.websocket
    if endpoint is None or tls is None:
        return []
    try:
        return await start_websocket(handler, endpoint, tls, base.settings.limits)
    except OSError as error:
        raise _cannot_bind(endpoint.listen) from error


def _cannot_bind(address: str) -> TrustQueryError:
    return TrustQueryError("config-invalid", place="coordinator.toml", problem=f"cannot listen on {address}")


async def _keep_certificate(shown: ServerCertificate, https: QuietServer, websocket: ssl.SSLContext | None) -> None:
    """Renew the listeners' certificate when it is due, under the running process."""
    while True:
        await asyncio.sleep(CERTIFICATE_SECONDS)
        try:
            contexts = [context for context in (https.config.ssl, websocket) if context is not None]
            if https.config.ssl is not None and shown.look(datetime.datetime.now(datetime.UTC), *contexts):
                _log.info("listeners-certificate-renewed")
        except Exception:
            # A full disk: the present one is good for weeks, and it is tried again.
            _log.exception("certificate-renewal-failed")


async def _publish(base: Base, publisher: Publisher, seconds: int) -> None:
    """Show the log's newest head, again and again; of several replicas the leader does."""
    while True:
        try:
            if base.store.leader.led:
                await publisher.tick()
        except TrustQueryError as error:
            _log.error("head-not-shown", code=error.code)
        except Exception:
            # A full disk or a locked database: what is shown stays, and it is tried again.
            _log.exception("publishing-failed")
        await asyncio.sleep(seconds)


def _warn(base: Base, number: int) -> None:
    """Say at the first look, and about once an hour, what of the federation's documents ends soon."""
    if number % PASSES_A_WARNING == 0:
        for warning in warnings_of(base.rosters.found(), base.statements.found(), wall_clock()):
            _log.warning("documents-end", warning=warning)


async def _follow(base: Base, queries: QueryService, sharing: Sharing) -> None:
    """Look at once when another replica says that something happened. What is missed here, housekeeping finds."""
    news = asyncio.Event()
    stop = threading.Event()
    loop = asyncio.get_running_loop()

    def take(word: str) -> None:
        kind, _, release_id = word.partition(" ")
        if kind == "query":
            queries.heard(release_id)
        news.set()

    def heard(word: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has gone: the process ends
            loop.call_soon_threadsafe(take, word)

    threading.Thread(target=base.store.signals.listen, args=(heard, stop), name="signals", daemon=True).start()
    try:
        while True:
            await news.wait()
            news.clear()
            try:
                await sharing.look()
                await queries.deliver()
            except Exception:
                _log.exception("look-failed")
    finally:
        stop.set()


async def _housekeeping(
    base: Base,
    fleet: Fleet,
    handler: SessionHandler,
    queries: QueryService,
    office: ProjectOffice,
    sharing: Sharing,
) -> None:
    """Close what is due; pass on what changed in the store; cut nodes that were revoked.

    Of several replicas one leads, and does alone what only one need do.
    """
    known: object = None
    led = base.store.sqlite
    retention = Retention(base.store, base.settings.retention, wall_clock)
    reviews = ReviewDesk(base, wall_clock)
    for number in itertools.count():
        try:
            await sharing.beat()
            await sharing.look()
            leads = await asyncio.to_thread(base.store.leader.leads)
            if leads != led:
                led = leads
                _log.info("leading" if leads else "following", replica=sharing.name)
            await queries.tick(leads=leads)
            if leads:
                await asyncio.to_thread(reviews.settle)
            if leads and number % PASSES_A_LOOK == 0:
                await asyncio.to_thread(base.store.tallies.close, wall_clock())
                # Whoever asks looks at the clock as well: this only brings the register up to date.
                await asyncio.to_thread(office.tick)
            if leads and number % int(LOOK_SECONDS / HOUSEKEEPING_SECONDS) == 0:
                await asyncio.to_thread(retention.tick)
            await asyncio.to_thread(base.rosters.refresh)
            await asyncio.to_thread(base.statements.refresh)
            _warn(base, number)
            documents = await asyncio.to_thread(handler.documents)
            if known is not None and documents != known:
                fleet.broadcast(documents)
            known = documents
            await _cut(base, fleet)
        except Exception:
            # A full disk or a locked database must not end the process: streams stay up, and it is tried again.
            _log.exception("housekeeping-failed")
        await asyncio.sleep(HOUSEKEEPING_SECONDS)


async def _cut(base: Base, fleet: Fleet) -> None:
    """End streams of nodes that were revoked or enrolled anew, whose certificate has ended, or that were cloned."""
    live = await asyncio.to_thread(base.store.admissions.live_serials, wall_clock())
    suspected = await asyncio.to_thread(base.store.admissions.incidents)
    for row in await asyncio.to_thread(base.store.nodes.everyone):
        link = fleet.link(row.node)
        if link is None:
            continue
        if base.statements.revokes_node(row.identity_key, link.serial):
            reason = "auth-revoked"
        elif row.node in suspected:
            reason = "node-clone-suspected"
        elif row.status != "approved" or (row.node, link.serial) not in live:
            reason = "auth-certificate"
        else:
            continue
        _log.warning("node-cut", node=row.node, code=reason)
        link.end(reason)

"""AUZ-01 (gRPC), AUZ-04 and AUZ-05 against a coordinator that runs: streams, long polls, and what a clock can tell."""

from __future__ import annotations

import datetime
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import NormalDist

import httpx
import pytest

from coordinator.api.context import token_hash
from coordinator.fleet.server import METHODS
from coordinator.fleet.websocket import ROUTES
from coordinator.store import Store
from tests.factories.projects import application, team_member, today
from tests.lib.access_world import GIVEN, query_row
from tests.lib.coordinator import EnrolledNode, LiveCoordinator
from tests.lib.statistics import area_error, area_under_curve
from tests.lib.streams import open_stream
from trustquery.access import ACTIONS
from trustquery.identity import SigningKey

pytestmark = pytest.mark.timeout(300)
FALSE_ALARM = 1e-6
MOST = 0.53
SLICE, FULL = 300, 2_000
WITHIN = 5.0
KEYS = {name: SigningKey.generate() for name in ("ann", "bob", "ada", "eve", "zed")}


@dataclass
class Live:
    """A coordinator, its store from the outside, and who is signed in."""

    coordinator: LiveCoordinator
    nodes: dict[str, EnrolledNode]
    store: Store
    clients: list[httpx.Client] = field(default_factory=list)
    previous: dict[str, str] = field(default_factory=dict)

    def permit(self, project: str, version: int, *people: tuple[str, str]) -> None:
        """Have a project with these people (name, organisation) approved, or amended, and taken in by the command."""
        team = tuple(team_member(KEYS[name].public.hex(), person=name, organisation=at) for name, at in people)
        found = application(
            project=project, version=version, previous=self.previous.get(project, ""), team=team,
            submitted=int(time.time()), starts=today(-1), ends=today(30),
        )  # fmt: skip
        self.previous[project] = found.sha256
        self.coordinator.add_project(found, KEYS[people[0][0]], KEYS["ann"], KEYS["bob"])

    def client(self, name: str) -> httpx.Client:
        """An open session of somebody's, and a connection that stays open."""
        user = self.store.people.find(name)
        assert user is not None
        token = secrets.token_hex(32)
        now = int(time.time())
        assert self.store.sessions.open(token_hash(token), user.id, now + 3600, now, level=3, auth_time=now)
        client = self.coordinator.http()
        client.headers["Authorization"] = f"Bearer {token}"
        client.timeout = httpx.Timeout(60)
        self.clients.append(client)
        return client

    def query(self, name: str, project: str) -> str:
        """An open query of somebody's, which nobody will answer."""
        user, release_id = self.store.people.find(name), secrets.token_hex(32)
        assert user is not None
        times = {"created": int(time.time()), "closes_at": int(time.time()) + 3_000}
        assert self.store.queries.add(query_row(release_id, user.id, project, **times))
        return release_id


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    (folder / "committee.toml").write_text(
        "".join(f'[[people]]\nperson = "{n}"\nname = "{n}"\nkey = "{KEYS[n].public.hex()}"\n' for n in ("ann", "bob"))
    )
    coordinator = LiveCoordinator(folder)
    store = Store(f"sqlite+pysqlite:///{coordinator.home}/coordinator.sqlite")
    found = Live(coordinator, {}, store)
    try:
        found.nodes.update({ods: coordinator.enrol(ods) for ods in ("RX1", "RX2")})
        coordinator.install_roster()
        for name in ("ada", "eve", "zed"):
            coordinator.cli("user", "add", name, "--key", KEYS[name].public.hex(), "--organisation", "University")
        found.permit("zeds", 1, ("zed", "University"))
        yield found
    finally:
        for client in found.clients:
            client.close()
        store.close()
        coordinator.end()


# -- AUZ-01: streams --------------------------------------------------------------------------------------------------


@pytest.mark.acceptance("AUZ-01")
def test_every_method_of_the_node_s_service_is_an_action_for_nodes() -> None:
    from trustquery.v1 import session_pb2

    services = session_pb2.DESCRIPTOR.services_by_name
    methods = {f"{name}/{method}" for name, found in services.items() for method in found.methods_by_name}
    assert methods == {f"NodeLink/{method}" for method in METHODS} == {"NodeLink/Session"}
    assert {ACTIONS[action].open_to for action in (METHODS | ROUTES).values()} == {"node"}


@pytest.mark.acceptance("AUZ-01")
@pytest.mark.parametrize("holder", ["RX1", "RX2"])
@pytest.mark.parametrize("named", ["RX1", "RX2"])
def test_a_node_opens_its_own_stream_and_no_other(live: Live, holder: str, named: str) -> None:
    node = live.nodes[holder]
    said = open_stream(live.coordinator, node.tls_key, node.certificate, hello_node=named)
    assert said == ("accepted" if holder == named else "refused PERMISSION_DENIED")


@pytest.mark.acceptance("AUZ-01")
def test_no_person_opens_a_stream_whatever_their_role(live: Live) -> None:
    for place, (role, held) in enumerate(GIVEN.items()):
        name = f"person{place}"
        more = ["--role", held.text] if held is not None else []
        live.coordinator.cli("user", "add", name, "--key", SigningKey.generate().public.hex(), *more)
        token = live.client(name).headers["Authorization"].partition(" ")[2]
        assert open_stream(live.coordinator, None, None, token=token) == "refused UNAVAILABLE", role


# -- AUZ-04: rights fall at once --------------------------------------------------------------------------------------


def long_poll(live: Live, name: str, query: str) -> tuple[Future[tuple[int, float]], ThreadPoolExecutor]:
    """Ask for news of a query and wait for it; the reply's status and when it came."""
    client = live.client(name)

    def ask() -> tuple[int, float]:
        reply = client.get(f"/v1/queries/{query}", params={"wait": 20, "seen": 5})
        return reply.status_code, time.monotonic()

    pool = ThreadPoolExecutor(1)
    return pool.submit(ask), pool


CUTS: dict[str, tuple[Callable[[Live, str], object], int]] = {
    "disabled": (lambda live, name: live.coordinator.cli("user", "disable", name), 401),
    "moved": (lambda live, name: live.coordinator.cli("user", "move", name, "--organisation", "Elsewhere"), 404),
    "off-the-permit": (lambda live, name: live.permit(f"of-{name}", 2, ("zed", "University")), 404),
}


@pytest.mark.acceptance("AUZ-04")
@pytest.mark.parametrize("why", CUTS)
def test_a_long_poll_ends_within_five_seconds_of_the_cut(live: Live, why: str) -> None:
    cut, status = CUTS[why]
    KEYS[why] = SigningKey.generate()
    live.coordinator.cli("user", "add", why, "--key", KEYS[why].public.hex(), "--organisation", "University")
    live.permit(f"of-{why}", 1, (why, "University"))
    waiting, pool = long_poll(live, why, live.query(why, f"of-{why}"))
    time.sleep(1)
    assert not waiting.done()
    cut(live, why)
    done = time.monotonic()
    found, at = waiting.result(timeout=WITHIN + 1)
    pool.shutdown()
    assert found == status
    assert at - done <= WITHIN


@pytest.mark.acceptance("AUZ-04")
def test_a_role_that_is_taken_back_is_gone_at_the_next_request(live: Live) -> None:
    live.coordinator.cli("user", "grant", "eve", "auditor")
    client = live.client("eve")
    assert client.get("/v1/projects/zeds").status_code == 200
    live.coordinator.cli("user", "revoke-role", "eve", "auditor")
    assert client.get("/v1/projects/zeds").status_code == 404


# -- AUZ-05: hidden and absent ----------------------------------------------------------------------------------------


def pairs(live: Live) -> dict[str, tuple[str, str]]:
    """Paths to something of another tenant's, and to nothing, of the same length."""
    query = live.query("zed", "zeds")
    other = secrets.token_hex(32)
    return {
        "project": ("/v1/projects/zeds", "/v1/projects/nope"),
        "budget": ("/v1/projects/zeds/budget", "/v1/projects/nope/budget"),
        "profiles": ("/v1/projects/zeds/profiles", "/v1/projects/nope/profiles"),
        "query": (f"/v1/queries/{query}", f"/v1/queries/{other}"),
        "inputs": (f"/v1/queries/{query}/inputs", f"/v1/queries/{other}/inputs"),
    }


def shown(reply: httpx.Response, path: str) -> tuple[int, str, list[tuple[str, str]]]:
    """Status, body and headers, without the name that was asked for and the time of day."""
    name = path.split("/")[3]
    headers = [(key, value) for key, value in reply.headers.multi_items() if key != "date"]
    return reply.status_code, reply.text.replace(name, "NAME"), headers


@pytest.mark.acceptance("AUZ-05")
def test_what_is_hidden_and_what_is_absent_look_the_same(live: Live) -> None:
    with live.client("ada") as client:
        for kind, (hidden, absent) in pairs(live).items():
            found = shown(client.get(hidden), hidden)
            assert found[0] == 404, kind
            assert found == shown(client.get(absent), absent), kind
        for kind in ("/v1/queries/{}/cancel", "/v1/queries/preview", "/v1/queries"):
            bodies = [{"project": name, "model": "{}"} for name in ("zeds", "nope")]
            replies = [client.post(kind.format("ab" * 32), json=body) for body in bodies]
            assert replies[0].text.replace("zeds", "nope") == replies[1].text


def measure(live: Live, hidden: str, absent: str, each: int) -> tuple[list[float], list[float]]:
    """Seconds of each, in turns that change order, so that a busy machine is busy for both."""
    times: dict[str, list[float]] = {hidden: [], absent: []}
    with live.client("ada") as client:
        for path in (hidden, absent) * 10:
            client.get(path)
        for turn in range(each):
            for path in (hidden, absent) if turn % 2 else (absent, hidden):
                start = time.perf_counter()
                client.get(path)
                times[path].append(time.perf_counter() - start)
    return times[hidden], times[absent]


def area(live: Live, hidden: str, absent: str, each: int) -> float:
    """How well an observer tells the two apart; one half is not at all."""
    found = area_under_curve(*measure(live, hidden, absent, each))
    return max(found, 1 - found)


def limit(each: int) -> float:
    """What an area may be above by chance at most once in a million times, where the true one is 0.53."""
    return MOST + NormalDist().inv_cdf(1 - FALSE_ALARM) * area_error(each, each)


@pytest.mark.slow
@pytest.mark.acceptance("AUZ-05")
@pytest.mark.parametrize("kind", ["project", "budget", "profiles", "query", "inputs"])
def test_the_time_tells_no_hidden_thing_from_an_absent_one(live: Live, kind: str) -> None:
    assert area(live, *pairs(live)[kind], SLICE) <= limit(SLICE)


@pytest.mark.slow
def test_the_clock_would_tell_what_is_looked_up_from_what_is_not(live: Live) -> None:
    """The control: to somebody who may read it, the same project takes visibly longer than an absent one."""
    with live.client("zed") as client:
        present: list[float] = []
        absent: list[float] = []
        for _ in range(SLICE):
            for path, times in (("/v1/projects/zeds/budget", present), ("/v1/projects/nope/budget", absent)):
                start = time.perf_counter()
                client.get(path)
                times.append(time.perf_counter() - start)
    assert area_under_curve(absent, present) > limit(SLICE)


@pytest.mark.full_size
@pytest.mark.acceptance("AUZ-05")
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("kind", ["project", "budget", "profiles", "query", "inputs"])
def test_two_thousand_each(live: Live, kind: str) -> None:
    found = area(live, *pairs(live)[kind], FULL)
    print(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d} {kind}: area {found:.3f} of {FULL} each")
    assert found <= MOST

"""AUZ-01: every role, at every endpoint, on a thing of its own and on another's: only what is listed here passes.

The table below is written by hand and not made from the code. The code's own table must say the same, so that nobody
changes what a role may do in one place alone; and every cell is asked of the real application.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.responses import PlainTextResponse

from coordinator.access import project_resource
from coordinator.api.app import routed
from coordinator.api.door import acts, check_doors, doors, endpoints
from tests.lib.access_site import actor
from tests.lib.access_world import GIVEN, NOBODY, OTHER, OWN, ROWS, STRANGER, World, person, standing_world
from tests.lib.site import Site, code_of
from trustquery.access import ACTIONS, Role, may

# any: every one. own: what the role is held over. asked: what the person asked, there. others: what the person has no
# part in. The last column is what somebody must be allowed to read for knowing that the thing exists.
TABLE = """
action               analyst lead  committee custodian governance node-op fed-op checker security auditor | known by
application.start    any     any   -         -         -          -       -      -       -        -       |
application.read     own     own   any       -         any        -       -      -       any      any     | application
application.edit     -       own   -         -         -          -       -      -       -        -       | application
application.submit   -       own   -         -         -          -       -      -       -        -       | application
application.withdraw -       own   -         -         -          -       -      -       -        -       | application
application.amend    -       own   -         -         -          -       -      -       -        -       | application
application.approve  -       -     others    -         -          -       -      -       -        -       | application
application.decide   -       -     others    -         -          -       -      -       -        -       | application
project.read         own     own   any       -         any        -       -      -       any      any     | project
project.budget       own     own   any       -         -          -       -      -       any      any     | project
project.profiles     own     own   -         -         -          -       -      -       -        -       | project
project.suspend      -       -     any       -         -          -       -      -       -        -       | project
project.resume       -       -     others    -         -          -       -      -       -        -       | project
project.close        -       own   -         -         -          -       -      -       -        -       | project
query.preview        own     own   -         -         -          -       -      -       -        -       | project
query.submit         own     own   -         -         -          -       -      -       -        -       | project
query.read           asked   asked -         -         -          -       -      -       -        -       | query
query.cancel         asked   asked -         -         -          -       -      -       -        -       | query
release.publish      -       own   -         -         -          -       -      -       -        -       | project
release.withdraw     -       own   any       -         -          -       -      -       -        -       | project
release.review       -       -     -         -         -          -       -      others  -        -       |
input.upload         own     own   -         -         -          -       -      -       -        -       | project
input.read           own     own   any       -         -          -       -      -       any      any     | input
input.approve        -       -     others    -         -          -       -      -       -        -       | input
input.refuse         -       -     others    -         -          -       -      -       -        -       | input
input.retract        own     own   -         -         -          -       -      -       -        -       | input
input.withdraw       -       -     any       -         -          -       -      -       -        -       | input
node.approve         -       -     -         -         -          -       any    -       any      -       |
"""
OPEN = {
    "session.open": "anybody",
    "session.close": "signed-in",
    "session.read": "signed-in",
    "dataset.read": "signed-in",
    "public.read": "anybody",
    "node.anchor": "anybody",
    "statement.send": "anybody",
    "node.enrol": "code",
    "node.link": "node",
    "application.list": "signed-in",
    "project.list": "signed-in",
    "query.list": "signed-in",
    "release.list": "signed-in",
    "input.list": "signed-in",
    "input.use": "signed-in",
}
# Who does one of these has signed in strongly within the last minutes.
STRONG = {
    "application.approve",
    "application.decide",
    "project.resume",
    "input.approve",
    "input.refuse",
    "release.review",
    "node.approve",
}
STATUS = {"auth-required": 401, "auth-not-permitted": 403}
ROLES = tuple(role.value for role in Role)
LINES = [line.partition(" |") for line in TABLE.strip().splitlines()[1:]]
REACH = {cells.split()[0]: dict(zip(ROLES, cells.split()[1:], strict=True)) for cells, _, _ in LINES}
KNOWN_BY = {cells.split()[0]: f"{known.strip()}.read" if known.strip() else "" for cells, _, known in LINES}
# Whose part in a thing is what the role says, and not only a name on its permit.
HOLD_THEIR_OWN = ("analyst", "project lead")


def passes(who: str, action: str, which: str) -> bool:
    """What the table by hand says."""
    if OPEN.get(action) in ("anybody", "code") or (OPEN.get(action) == "signed-in" and who != STRANGER):
        return True
    reach = REACH.get(action, {}).get(who, "-")
    return reach == "any" or (
        which == OTHER if reach == "others" else reach != "-" and which == OWN and who in HOLD_THEIR_OWN
    )


def expected(who: str, action: str, which: str, absent: str) -> str:
    """The refusal's code, "" where the cell passes."""
    if passes(who, action, which):
        return ""
    if who == STRANGER:
        return "auth-required"
    known = KNOWN_BY.get(action, "")
    return absent if known and not passes(who, known, which) else "auth-not-permitted"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with standing_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.mark.acceptance("AUZ-01")
def test_the_table_by_hand_and_the_table_in_the_code_say_the_same() -> None:
    assert set(ACTIONS) == set(REACH) | set(OPEN)
    assert not set(REACH) & set(OPEN)
    for name, action in ACTIONS.items():
        found = {role.value: reach.value for role, reach in action.allowed.items()}
        assert found == {role: reach for role, reach in REACH.get(name, {}).items() if reach != "-"}, name
        assert action.open_to == OPEN.get(name, ""), name
        assert action.reading == KNOWN_BY.get(name, ""), name
        assert action.strong == (name in STRONG), name


@pytest.mark.acceptance("AUZ-01")
def test_every_endpoint_has_a_row_and_every_row_an_endpoint() -> None:
    found = {(method, path): action for method, path, action in endpoints(routed())}
    assert found == {place: row.action for place, row in ROWS.items()}


def test_there_is_somebody_of_every_role() -> None:
    assert tuple(GIVEN) == ROLES


@pytest.mark.acceptance("AUZ-01")
@pytest.mark.parametrize("place", ROWS, ids=" ".join)
@pytest.mark.parametrize("who", [*GIVEN, NOBODY, STRANGER])
def test_only_listed_cells_pass(world: World, who: str, place: tuple[str, str]) -> None:
    row, (method, path) = ROWS[place], place
    for which in (OTHER, OWN):
        call = row.call(world.objects[who], which)
        options = {"json": call.json} if call.json is not None else {}
        reply = world.seen_by(who).call(method, path.replace(":path", "").format(**call.path), **options)
        # A page that says in words what is not there.
        page = reply.headers.get("content-type", "").startswith("text/html")
        code = "" if reply.status_code < 400 else "page" if page else code_of(reply)
        wanted = expected(who, row.action, which, row.absent)
        if wanted:
            assert (code, reply.status_code) == (wanted, STATUS.get(wanted, 404)), which
        else:
            assert code in row.passes, f"{which}: {reply.text}"


@pytest.mark.acceptance("AUZ-01")
@pytest.mark.parametrize("who", [*GIVEN, NOBODY])
@pytest.mark.parametrize("action", REACH)
def test_every_cell_holds_over_the_store_also_where_no_endpoint_is(world: World, who: str, action: str) -> None:
    store, roster, objects = world.site.base.store, world.site.base.rosters.found(), world.objects[who]
    someone = actor(world.site, person(who))
    for which in (OTHER, OWN):
        names = objects.application if action.startswith("application") else objects.project
        resource = project_resource(store, roster, names[which])
        if action in ("query.read", "query.cancel"):
            resource = replace(resource, asker=person(who) if which == OWN else "chief")
        assert may(someone, action, resource).allowed == passes(who, action, which), which


@pytest.mark.acceptance("AUZ-01")
@pytest.mark.parametrize("who", [*GIVEN, NOBODY])
def test_a_list_of_projects_holds_what_its_reader_may_read(world: World, who: str) -> None:
    found = {item["project"] for item in world.seen_by(who).call("GET", "/v1/projects").json()["projects"]}
    own = world.objects[who].project
    assert (own[OWN] in found, own[OTHER] in found) == tuple(
        passes(who, "project.read", which) for which in (OWN, OTHER)
    )
    assert len(found) in (0, 1, len(GIVEN) + 2)


@pytest.mark.acceptance("AUZ-01")
def test_a_team_mates_question_is_not_ones_own(world: World) -> None:
    project, query = world.objects["analyst"].project[OWN], world.objects["analyst"].query[OWN]
    chief = world.site.as_user("chief")
    assert chief.call("GET", f"/v1/projects/{project}").status_code == 200
    for method, path in (("GET", ""), ("GET", "/inputs"), ("POST", "/cancel")):
        assert code_of(chief.call(method, f"/v1/queries/{query}{path}")) == "query-unknown"


# -- a way in that is no door -----------------------------------------------------------------------------------------


async def nothing() -> dict[str, Any]:
    return {}


@pytest.mark.acceptance("AUZ-01")
def test_a_route_without_an_action_cannot_be_built() -> None:
    with pytest.raises(TypeError, match="declares no action"):
        doors().get("/v1/new")(nothing)
    with pytest.raises(KeyError):
        acts("project.invent")


@pytest.mark.acceptance("AUZ-01")
def test_an_application_with_another_kind_of_route_does_not_start() -> None:
    ways: tuple[Callable[[FastAPI], object], ...] = (
        lambda app: app.get("/v1/new")(nothing),
        lambda app: app.add_route("/v1/new", PlainTextResponse),
        lambda app: app.websocket("/v1/new")(nothing),
        lambda app: app.mount("/v1/new", APIRouter()),
        lambda app: app.include_router(_plain()),
    )
    for add in ways:
        app = routed()
        add(app)
        with pytest.raises(TypeError, match="is not a door"):
            check_doors(app)


def _plain() -> APIRouter:
    router = APIRouter()
    router.get("/v1/new")(nothing)
    return router


@pytest.mark.acceptance("AUZ-01")
def test_a_route_that_answers_without_asking_answers_nothing(world: World) -> None:
    router = doors()

    @router.get("/v1/forgetful/{name}")
    @acts("project.read")
    async def forgetful(name: str) -> dict[str, str]:
        return {"secret": name}

    app = routed()
    app.include_router(router)
    check_doors(app)
    site = world.site.as_user("auditor")
    site.app.include_router(router)
    reply = site.call("GET", "/v1/forgetful/other")
    assert (reply.status_code, code_of(reply)) == (500, "internal-fault")
    assert "secret" not in reply.text


# -- trusts' own credentials ------------------------------------------------------------------------------------------


@pytest.mark.acceptance("AUZ-01")
def test_an_enrolment_is_for_the_holder_of_its_own_code(world: World) -> None:
    site = Site(world.site.base, world.site.app)
    codes = {ods: site.base.desk.invite(ods, ods, 900) for ods in ("RX7", "RX8")}
    enrolled = {ods: _hand_in(site, ods, code) for ods, code in codes.items()}
    assert {reply.status_code for reply in enrolled.values()} == {201}
    for ods in codes:
        for holder, code in codes.items():
            reply = site.call("GET", f"/v1/enrolment/{ods}", headers={"Authorization": f"Bearer {code}"})
            assert (reply.status_code == 200) == (ods == holder), (ods, holder)
    assert code_of(_hand_in(site, "RX7", codes["RX8"])) == "node-code-invalid"


def _hand_in(site: Site, ods: str, code: str) -> Any:
    from trustquery.identity import SigningKey
    from trustquery.identity.certificates import certificate_request, new_tls_key
    from trustquery.protocol.enrolment import EnrolmentCode, proof_message

    key, request = SigningKey.generate(), certificate_request(new_tls_key(), ods)
    proof = key.sign(proof_message(EnrolmentCode.parse(code), key.public, request)).hex()
    body = {"code": code, "ods": ods, "name": ods, "identity_key": key.public.hex(), "csr": request.decode()}
    return site.call("POST", "/v1/enrolment", json=body | {"proof": proof})

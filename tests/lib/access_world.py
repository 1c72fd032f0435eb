"""Somebody of every role, with something of their own beside something of others: what the matrix of access asks about.

A new endpoint needs one row in ``ROWS``: its action, how it is called for a thing of one's own and for another's, and
what it answers when it lets somebody in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from coordinator.store import InputRow, QueryRow, Store
from tests.factories.documents import NOW, intent, permit
from tests.lib.access_site import draft, member
from tests.lib.site import Site, application_row, fresh_store, open_site, project_row, put_project
from trustquery.access import Held, Role
from trustquery.catalogue import load
from trustquery.codelists import read_table
from trustquery.identity import Member, SigningKey, canonical
from trustquery.language import compile_query
from trustquery.web import version

__all__ = [
    "GIVEN",
    "NOBODY",
    "ROWS",
    "STRANGER",
    "Call",
    "Objects",
    "Row",
    "World",
    "person",
    "put_input",
    "query_row",
    "standing_world",
]

GIVEN: dict[str, Held | None] = {
    "analyst": Held(Role.ANALYST),
    "project lead": None,
    "committee member": Held(Role.COMMITTEE_MEMBER),
    "data custodian": Held(Role.DATA_CUSTODIAN, "RX1"),
    "governance officer": Held(Role.GOVERNANCE_OFFICER, "RX1"),
    "node operator": Held(Role.NODE_OPERATOR, "RX1"),
    "federation operator": Held(Role.FEDERATION_OPERATOR),
    "output checker": Held(Role.OUTPUT_CHECKER),
    "security officer": Held(Role.SECURITY_OFFICER),
    "auditor": Held(Role.AUDITOR),
}
NOBODY, STRANGER = "signed in, no role", "not signed in"
OWN, OTHER = "own", "other"
ASKER = SigningKey.generate()
MODEL = compile_query("SELECT count(*) FROM person", load("omop-5.4"), epsilon=Decimal(1)).payload()


@dataclass(frozen=True)
class Objects:
    """What one person is asked about: ``project[OWN]`` is theirs or names them, ``project[OTHER]`` does not.

    Attributes:
        application: names of projects that are drafts, and have no permit.
        input: names of codelists that wait for approval.
    """

    project: dict[str, str]
    query: dict[str, str]
    application: dict[str, str]
    input: dict[str, str]


@dataclass(frozen=True)
class Call:
    """How an endpoint is called."""

    path: dict[str, str] = field(default_factory=dict)
    json: dict[str, Any] | None = None


@dataclass(frozen=True)
class Row:
    """One endpoint of the matrix.

    Attributes:
        call: from the person's objects and ``own`` or ``other``.
        passes: error codes that only somebody who was let in can meet; "" for success.
        absent: the code that hides what somebody may not know of.
    """

    action: str
    call: Callable[[Objects, str], Call] = lambda objects, which: Call()
    passes: frozenset[str] = frozenset({""})
    absent: str = "project-unknown"


def _project(objects: Objects, which: str) -> Call:
    return Call({"name": objects.project[which]})


def _query(objects: Objects, which: str) -> Call:
    return Call({"query": objects.query[which]})


def _preview(objects: Objects, which: str) -> Call:
    return Call(json={"project": objects.project[which], "model": MODEL.decode()})


def _submit(objects: Objects, which: str) -> Call:
    body = {"sql": "SELECT count(*) FROM person", "model": MODEL.decode(), "intent": "{}", "epsilon": "1"}
    return Call(json=body | {"project": objects.project[which]})


def _login(objects: Objects, which: str) -> Call:
    return Call(json={"user": "chief", "challenge": "0" * 64, "signature": "0" * 128})


def _begin_signin(objects: Objects, which: str) -> Call:
    return Call(json={"challenge": "c" * 43, "state": "s" * 43, "port": 50_000})


def _end_signin(objects: Objects, which: str) -> Call:
    return Call(json={"code": "0" * 64, "verifier": "v" * 43})


def _enrol(objects: Objects, which: str) -> Call:
    body = {"code": "tqe1.x", "ods": "RX1", "name": "T", "identity_key": "0" * 64, "csr": "", "proof": "0" * 128}
    return Call(json=body)


def _application(objects: Objects, which: str) -> Call:
    return Call({"project": objects.project[which]})


def _signed(objects: Objects, which: str) -> Call:
    return Call({"project": objects.project[which]}, {"envelope": "{}"})


def _answers(objects: Objects, which: str) -> Call:
    return Call({"project": objects.project[which]}, {"answers": {"title": "x"}})


def _withdraw(objects: Objects, which: str) -> Call:
    return Call({"query": objects.query[which]}, {"reason": "It was wrong."})


def _verdict(objects: Objects, which: str) -> Call:
    return Call({"query": objects.query[which]}, {"envelope": "{}"})


def _input(objects: Objects, which: str) -> Call:
    return Call({"name": objects.input[which], "version": "1"})


def _decided(objects: Objects, which: str) -> Call:
    return Call({"name": objects.input[which], "version": "1"}, {"envelope": "{}"})


def _taken_back(objects: Objects, which: str) -> Call:
    # Whoever comes first takes it back; the others who were let in are told that it is.
    return Call({"name": objects.input[which], "version": "1"}, {"reason": "It was wrong."})


def _upload(objects: Objects, which: str) -> Call:
    body = {"project": objects.project[which], "name": "codes", "version": 1, "system": "icd10", "file": "codes.csv"}
    return Call(json=body | {"content": "bm8="})


PUBLIC = (
    "/public/", "/public/help", "/public/register", "/public/register/data.json", "/public/register/data.csv",
    "/public/register/crate.zip", "/public/projects/{name}", "/public/projects/{name}/data.json", "/public/promise",
    "/public/promise/data.json", "/public/queries", "/public/queries/data.json", "/public/queries/data.csv",
    "/public/queries/{hash_}", "/public/queries/{hash_}/data.json", "/public/releases/{release}/crate.zip",
    "/public/inputs", "/public/inputs/data.json", "/public/inputs/data.csv", "/public/{rest:path}",
    "/public/log/checkpoint", "/public/log/key", "/public/log/tile/{path:path}", "/public/log", "/public/log/verify",
    "/public/log/verify_log.py", "/public/log/entries/{seq}", "/public/log/entries/{seq}/entry.json",
    "/public/log/entries/{seq}/entry.tlog-proof", "/public/about", "/public/protection", "/public/opt-out",
)  # fmt: skip

PASSING = ("/app/sign-in", "/app/signed-out")


def _anybody(objects: Objects, which: str) -> Call:
    return Call(
        {
            "name": objects.project[which],
            "hash_": "ab" * 32,
            "release": objects.query[which],
            "rest": "x",
            "path": "entries/000.p/1",
            "seq": "1",
        }
    )


# What is handed in is no signed document, or cannot be changed as things are: only who was let in is told so.
_NOT_SIGNED, _NOT_NOW = frozenset({"auth-document"}), frozenset({"project-move"})


# The local provider is off here, and tells everybody so.
_WAY_OFF = frozenset({"auth-way-off"})
# People's sessions open nothing here: enrolment looks at a code, and tells everybody else that theirs is none.
_NO_CODE = frozenset({"auth-required", "node-code-invalid"})
ROWS: dict[tuple[str, str], Row] = {
    ("POST", "/v1/login/challenge"): Row("session.open", lambda o, w: Call(json={"user": "chief"})),
    ("POST", "/v1/login"): Row("session.open", _login, frozenset({"auth-failed"})),
    ("POST", "/v1/logout"): Row("session.close"),
    ("POST", "/v1/signin"): Row("session.open", _begin_signin, frozenset({"auth-no-provider"})),
    ("POST", "/v1/signin/token"): Row("session.open", _end_signin, frozenset({"auth-failed"})),
    ("GET", "/local/.well-known/openid-configuration"): Row("session.open", passes=_WAY_OFF),
    ("GET", "/local/keys"): Row("session.open", passes=_WAY_OFF),
    ("GET", "/local/authorize"): Row("session.open", passes=_WAY_OFF),
    ("POST", "/local/authorize"): Row("session.open", passes=_WAY_OFF),
    ("POST", "/local/token"): Row("session.open", passes=_WAY_OFF),
    ("GET", "/local/setup"): Row("session.open", passes=_WAY_OFF),
    ("POST", "/local/setup"): Row("session.open", passes=_WAY_OFF),
    ("POST", "/local/setup/confirm"): Row("session.open", passes=_WAY_OFF),
    ("GET", "/signin/{flow}"): Row("session.open", lambda o, w: Call({"flow": "x"}), frozenset({"page"})),
    ("GET", "/signin/back/{provider}"): Row("session.open", lambda o, w: Call({"provider": "x"}), frozenset({"page"})),
    ("GET", "/v1/projects"): Row("project.list"),
    ("GET", "/v1/projects/{name}"): Row("project.read", _project),
    ("GET", "/v1/projects/{name}/budget"): Row("project.budget", _project),
    ("GET", "/v1/projects/{name}/profiles"): Row("project.profiles", _project),
    ("GET", "/v1/datasets"): Row("dataset.read"),
    ("GET", "/v1/datasets/{name}"): Row("dataset.read", lambda o, w: Call({"name": "omop-5.4"})),
    ("POST", "/v1/queries/preview"): Row("query.preview", _preview),
    ("POST", "/v1/queries"): Row("query.submit", _submit, frozenset({"auth-document"})),
    ("GET", "/v1/queries"): Row("query.list"),
    ("GET", "/v1/queries/{query}"): Row("query.read", _query, absent="query-unknown"),
    ("GET", "/v1/queries/{query}/inputs"): Row("query.read", _query, absent="query-unknown"),
    ("POST", "/v1/queries/{query}/cancel"): Row("query.cancel", _query, absent="query-unknown"),
    ("POST", "/v1/applications"): Row(
        "application.start", lambda o, w: Call(json={"project": o.project[w]}), frozenset({"project-name-taken"})
    ),
    ("GET", "/v1/applications"): Row("application.list"),
    ("GET", "/v1/applications/{project}"): Row("application.read", _application),
    ("PUT", "/v1/applications/{project}/answers"): Row("application.edit", _answers, _NOT_NOW),
    ("POST", "/v1/applications/{project}/submit"): Row("application.submit", _signed, _NOT_SIGNED),
    ("POST", "/v1/applications/{project}/withdraw"): Row("application.withdraw", _application, _NOT_NOW),
    ("POST", "/v1/applications/{project}/amend"): Row("application.amend", _application),
    ("POST", "/v1/applications/{project}/approve"): Row("application.approve", _signed, _NOT_SIGNED),
    ("POST", "/v1/applications/{project}/decide"): Row("application.decide", _signed, _NOT_SIGNED),
    ("POST", "/v1/projects/{project}/suspend"): Row("project.suspend", _signed, _NOT_SIGNED),
    ("POST", "/v1/projects/{project}/resume"): Row("project.resume", _signed, _NOT_SIGNED),
    ("POST", "/v1/projects/{project}/close"): Row("project.close", _signed, _NOT_SIGNED),
    ("POST", "/v1/queries/{query}/publish"): Row(
        "release.publish", _query, frozenset({"query-not-released"}), absent="query-unknown"
    ),
    ("POST", "/v1/queries/{query}/withdraw"): Row(
        "release.withdraw", _withdraw, frozenset({"query-not-released"}), absent="query-unknown"
    ),
    ("GET", "/v1/reviews"): Row("release.list"),
    ("GET", "/v1/reviews/{query}"): Row("release.review", _query, frozenset({"policy-review-unknown"})),
    ("POST", "/v1/reviews/{query}/verdict"): Row("release.review", _verdict, _NOT_SIGNED),
    ("POST", "/v1/inputs"): Row("input.upload", _upload, frozenset({"query-input-invalid"})),
    ("GET", "/v1/inputs"): Row("input.list"),
    ("GET", "/v1/inputs/{name}/{version}/table"): Row(
        "input.use", _input, frozenset({"query-input-absent"}), absent="query-input-absent"
    ),
    ("GET", "/v1/inputs/{name}/{version}"): Row("input.read", _input, absent="query-input-absent"),
    ("POST", "/v1/inputs/{name}/{version}/approve"): Row(
        "input.approve", _decided, _NOT_SIGNED, absent="query-input-absent"
    ),
    ("POST", "/v1/inputs/{name}/{version}/refuse"): Row(
        "input.refuse", _decided, _NOT_SIGNED, absent="query-input-absent"
    ),
    ("POST", "/v1/inputs/{name}/{version}/withdraw"): Row(
        "input.withdraw", _decided, _NOT_SIGNED, absent="query-input-absent"
    ),
    ("POST", "/v1/inputs/{name}/{version}/retract"): Row(
        "input.retract", _taken_back, frozenset({"", "query-input-move"}), absent="query-input-absent"
    ),
    **{
        ("GET", path): Row("public.read", _anybody, frozenset({"", "page", "query-not-public", "usage-not-here"}))
        for path in PUBLIC
    },
    ("GET", "/static/{version}/{name:path}"): Row(
        "public.read", lambda o, w: Call({"version": version(), "name": "tq.css"})
    ),
    **{("GET", path): Row("session.open", passes=frozenset({"", "page"})) for path in PASSING},
    # Nobody is signed in by an address alone.
    ("GET", "/app/arrive"): Row("session.open", passes=frozenset({"page"})),
    ("POST", "/app/sign-in"): Row("session.open", passes=frozenset({"page"})),
    ("POST", "/app/sign-out"): Row("session.close"),
    ("GET", "/app/"): Row("session.read"),
    ("GET", "/v1/enrolment/anchor"): Row("node.anchor"),
    # It is signed, so it is read whoever brings it; this one is not.
    ("POST", "/v1/statements"): Row("statement.send", lambda o, w: Call(json={"envelope": "{}"}), _NOT_SIGNED),
    ("POST", "/v1/enrolment"): Row("node.enrol", _enrol, _NO_CODE),
    ("GET", "/v1/nodes/waiting"): Row("node.approve"),
    ("POST", "/v1/nodes/{ods}/approvals"): Row(
        "node.approve",
        lambda o, w: Call({"ods": "RX1"}, json={"envelope": "no envelope"}),
        frozenset({"auth-document"}),
    ),
    ("GET", "/v1/enrolment/{ods}"): Row("node.enrol", lambda o, w: Call({"ods": "RX1"}), _NO_CODE),
}


def query_row(release_id: str, user_id: int, project: str, **changed: Any) -> QueryRow:
    """An open query."""
    facts: dict[str, Any] = {
        "release_id": release_id, "user_id": user_id, "project": project, "dataset": "omop-5.4", "sql": "SELECT",
        "query_hash": "ab" * 32, "plan_hash": "ab" * 32, "vector_length": 1, "permit": b"",
        "intent": intent(ASKER, release_id=release_id, project=project).sign(ASKER).encode(),
        "model": MODEL, "nodes": "RX1", "state": "offered", "created": NOW, "closes_at": NOW + 60, "closed": 0,
        "result": None,
    }  # fmt: skip
    return QueryRow(**(facts | changed))


def put_input(store: Store, name: str, project: str, uploader: str, key: str) -> InputRow:
    """A codelist that was uploaded, and waits."""
    table = read_table(b"icd\nI60\n", f"{name}.csv")
    row = InputRow(
        name=name, version=1, sha256=table.sha256, content="ab" * 32, system="icd10", column="icd", rows=1,
        project=project, uploader=uploader, uploader_key=key, state="uploaded", approval=b"", updated=NOW,
    )  # fmt: skip
    with store.inputs.change(name, NOW) as change:
        change.add(row, canonical.encode(table.document()))
        change.note(row, "upload", uploader, "uploaded")
    return row


@dataclass
class World:
    """The site and what each person is asked about."""

    site: Site
    objects: dict[str, Objects]

    def seen_by(self, who: str) -> Site:
        """The site as somebody of this role sees it, in a fresh session."""
        return self.site if who == STRANGER else self.site.as_user(person(who))


def person(who: str) -> str:
    """What somebody of this role is called, as a person and as an account."""
    return who.replace(",", "").replace(" ", "-")


@contextmanager
def standing_world(folder: Path) -> Iterator[World]:
    """Everybody and what is theirs, over a fresh store in a folder."""
    store = fresh_store(folder)
    yield _make_world(store, folder)
    store.close()


def _make_world(store: Store, folder: Path) -> World:
    """Everybody, each with a project and a query of their own.

    An analyst's and a lead's own project has their key on its permit. Everybody else's names them with another key:
    they have a part in it, and no right by it. ``other`` is somebody else's altogether.
    """
    ann, bob = SigningKey.generate(), SigningKey.generate()
    keys = {who: SigningKey.generate() for who in (*GIVEN, NOBODY, "chief")}
    committee = {"ann": ann, "bob": bob, "committee-member": keys["committee member"]}
    site = open_site(store, folder, committee, SigningKey.generate(), burst=1_000_000)
    for who, key in keys.items():
        given = GIVEN.get(who)
        assert store.people.add(person(who), key.public.hex(), NOW, held=[given] if given is not None else [])

    def add(project: str, *members: Member) -> None:
        put_project(store, project_row(permit(keys["chief"], project=project, members=members), ann, bob))
        with store.projects.change(project, NOW) as change:
            change.add(application_row(project, keys["chief"]))
            change.note("approve", "the committee", "approved")

    chief = member("chief", keys["chief"], "lead")
    add("other", chief)
    users = {user.name: user.id for user in store.people.everyone()}

    def ask(release_id: str, who: str, project: str) -> None:
        row = store.projects.get(project)
        assert row is not None
        store.queries.add(query_row(release_id, users[who], project, permit=row.permit))

    ask("ee" * 32, "chief", "other")
    chief_key = keys["chief"].public.hex()
    draft(site, "chief", ("chief", chief_key, "lead"), project="draft")
    put_input(store, "codes_other", "other", "chief", chief_key)
    others = ("other", "ee" * 32, "draft", "codes_other")
    objects = {STRANGER: Objects(*({OWN: name, OTHER: name} for name in others))}
    for place, who in enumerate((*GIVEN, NOBODY)):
        project, release_id = f"own-{person(who)}", f"{place:02x}" * 32
        key = keys[who] if who in ("analyst", "project lead") else SigningKey.generate()
        add(project, chief, member(person(who), key, "lead" if who == "project lead" else "analyst"))
        ask(release_id, person(who), project)
        leads = who == "project lead"
        team = (("chief", chief_key, "lead"), (person(who), key.public.hex(), "lead" if leads else "analyst"))
        draft(site, person(who) if leads else "chief", *team, project=f"draft-{person(who)}")
        name = f"codes_{person(who)}".replace("-", "_")
        # Where the role is no right by itself, they have a part in it: they uploaded it.
        put_input(store, name, project, person(who), key.public.hex())
        own = (project, release_id, f"draft-{person(who)}", name)
        objects[who] = Objects(*({OWN: mine, OTHER: other} for mine, other in zip(own, others, strict=True)))
    return World(site, objects)

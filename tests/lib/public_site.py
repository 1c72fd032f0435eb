"""A coordinator's application over a store in which things have happened: projects, stances, uses; all signed."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import json
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from coordinator.api import make_app
from coordinator.api.context import Api, token_hash
from coordinator.api.limits import RateLimit
from coordinator.config import Home, parse_settings, sample_text
from coordinator.enrolment import Desk
from coordinator.fleet.links import Fleet
from coordinator.fleet.previews import Previews
from coordinator.merge import merge
from coordinator.projects.office import ProjectOffice
from coordinator.projects.releases import record_criteria
from coordinator.queries import QueryService
from coordinator.rosters import Rosters
from coordinator.services import Base
from coordinator.signin.local import LocalProvider
from coordinator.signin.opening import open_desk, open_local
from coordinator.store import AnswerRow, ApplicationRow, PermitRow, ProjectRow, QueryRow, StanceRow, Store
from tests.factories.documents import COORDINATOR, NOW, intent, node_entry, person, root, roster
from tests.factories.projects import application, team_member
from tests.lib.processes import free_port
from tests.lib.settings import with_keys
from tests.lib.site import fresh_store
from trustquery.access import Held, Role
from trustquery.catalogue import load
from trustquery.client.config import ClientHome, ClientSettings
from trustquery.identity import Answer, Intent, Permit, SigningKey, new_secret
from trustquery.identity.certificates import Authority, new_tls_key
from trustquery.language import compile_query
from trustquery.language.parameters import write_parameters
from trustquery.model import Query
from trustquery.planning import compile_plan
from trustquery.projects.decisions import Stance
from trustquery.projects.permits import permit_from
from trustquery.protocol.enrolment import login_message

__all__ = [
    "ADA",
    "ANN",
    "BOB",
    "COMMITTEE",
    "EVE",
    "HOLDERS",
    "NODES",
    "ROOT",
    "PublicSite",
    "serving",
    "stance",
]

HOLDERS = [SigningKey.generate() for _ in range(3)]
ROOT = root(*HOLDERS)
ADA, EVE, ANN, BOB = (SigningKey.generate() for _ in range(4))
NODES = {ods: SigningKey.generate() for ods in ("RX1", "RX2", "RX3")}
COMMITTEE = (person("ann", ANN), person("bob", BOB))
ENTRIES = tuple(node_entry(ods, key) for ods, key in NODES.items())
DAY, HOUR = 86_400, 3_600
AUTHORITY = Authority.generate("test", datetime.datetime.fromtimestamp(NOW, datetime.UTC))
CATALOGUE = load("omop-5.4")
SQL = "SELECT count(DISTINCT person_id) AS people FROM person"


def stance(permit: Permit, node: str, word: str = "accepted", **changed: Any) -> Stance:
    """What a trust says of a permit."""
    declined = word == "declined"
    fields: dict[str, Any] = {
        "federation": "test",
        "node": node,
        "project": permit.project,
        "permit_hash": permit.sha256,
        "word": word,
        "acceptance_hash": "" if declined else "0b" * 32,
        "conditions": ("Figures of this trust alone are not published.",) if word.endswith("conditions") else (),
        "reason": "Our board has not met yet." if declined else "",
        "rho_nano": 0 if declined else 5 * 10**8,
        "said": NOW - 5,
        "expires": permit.expires,
    }
    return Stance(**(fields | changed))


class Own(httpx.AsyncBaseTransport):
    """From the coordinator to its own sign-in provider, without a connection that nobody would close."""

    app: httpx.ASGITransport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on."""
        return await self.app.handle_async_request(request)


@dataclass
class PublicSite:
    """The application, its store, and hands to make things happen."""

    store: Store
    folder: Path
    base: Base = field(init=False)
    app: Any = field(init=False)
    token: str = ""
    now: int = NOW
    public: str = "localhost:8443"
    local: LocalProvider | None = field(init=False, default=None)
    with_local: bool = False
    keep_seconds: float = 0

    def __post_init__(self) -> None:
        text = with_keys(sample_text().replace('"demo"', '"test"')).replace("localhost:8443", self.public)
        settings = parse_settings(text.replace('local = "off"', 'local = "query"') if self.with_local else text)
        rosters = Rosters(self.store, ROOT)
        # In the past of the tests' own clock, or in the present where a client looks at the wall.
        signed = roster(ENTRIES, COMMITTEE, issued=self.now - 10, expires=self.now + 20 * DAY).sign(*HOLDERS[:2])
        rosters.install(signed.encode(), self.now)
        desk = Desk(self.store, ROOT, AUTHORITY, "localhost:8443", lambda: NOW)
        self.base = Base(Home(self.folder), settings, ROOT, self.store, rosters, desk)
        if not self.base.home.key.exists():
            COORDINATOR.save(self.base.home.key)
        for name, key in (("ada", ADA), ("eve", EVE), ("ann", ANN)):
            given = [Held(Role.COMMITTEE_MEMBER)] if name == "ann" else []
            self.store.people.add(name, key.public.hex(), NOW, held=given)
        fleet = Fleet()
        rates = [RateLimit(burst=1000, per_minute=1, clock=time.monotonic) for _ in range(2)]
        queries = QueryService(self.store, rosters, fleet, lambda: self.now, partial(record_criteria, self.base))
        office = ProjectOffice(self.store, rosters, "test", lambda: self.now)
        self.local = open_local(settings, self.store, lambda: self.now)
        own = Own()
        signin = open_desk(
            self.base.home, settings, self.store, lambda: self.now, local=self.local, transports={"local": own}
        )
        api = Api(self.base, fleet, Previews(fleet), queries, office, rates[0], rates[1], signin, self.local)
        self.app = make_app(api, keep_seconds=self.keep_seconds)
        own.app = httpx.ASGITransport(self.app)

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET without a sign-in."""
        token, self.token = self.token, ""
        try:
            return self.call("GET", path, **options)
        finally:
            self.token = token

    def login(self, user: str, key: SigningKey) -> None:
        """Sign in."""
        challenge = self.call("POST", "/v1/login/challenge", json={"user": user}).json()["challenge"]
        message = login_message("test", self.base.desk.authority_sha256(), user, challenge)
        body = {"user": user, "challenge": challenge, "signature": key.sign(message).hex()}
        self.token = self.call("POST", "/v1/login", json=body).json()["token"]

    def session(self, name: str, *, level: int = 3) -> str:
        """A session's token, as a sign-in gives it."""
        user = self.store.people.find(name)
        assert user is not None
        token, now = new_secret(32).hex(), self.now
        opened = self.store.sessions.open(token_hash(token), user.id, now + HOUR, now, level=level, auth_time=now)
        assert opened
        return token

    def project(self, *, state: str = "live", words: dict[str, str] | None = None, **changed: Any) -> Permit:
        """An approved project; ``words``: node to what it says."""
        today = datetime.datetime.fromtimestamp(self.now, datetime.UTC).date()
        days = {"starts": str(today - datetime.timedelta(2)), "ends": str(today + datetime.timedelta(300))}
        team = (team_member(ADA.public.hex(), training_expires=str(today + datetime.timedelta(300))),)
        asked = application(**({"team": team} | days | changed))
        permit = permit_from(asked, 1, self.now - 10)
        envelope = permit.sign(ANN, BOB).encode()
        with self.store.projects.change(permit.project, self.now) as change:
            change.add(
                ApplicationRow(
                    project=permit.project, version=1, state="approved", applicant="ada", answers="{}",
                    envelope=asked.sign(ADA).encode(), sha256=asked.sha256, updated=self.now,
                )
            )  # fmt: skip
            change.add(
                PermitRow(
                    project=permit.project, version=1, permit_hash=permit.sha256, application=asked.sha256,
                    envelope=envelope, state="in-use", updated=self.now,
                )
            )  # fmt: skip
            change.add(
                ProjectRow(
                    name=permit.project,
                    version=1,
                    permit=envelope,
                    permit_hash=permit.sha256,
                    state=state,
                    added=self.now,
                )
            )
            for node, word in (words or {"RX1": "accepted", "RX2": "declined"}).items():
                said = stance(permit, node, word, said=self.now - 5)
                change.put_stance(
                    StanceRow(
                        project=permit.project, node=node, permit_hash=permit.sha256, word=word,
                        envelope=said.sign(NODES[node]).encode(), said=said.said,
                    )
                )  # fmt: skip
            change.note("approve", "data access committee", "Two members signed the permit.")
            change.note("submit", "ada", "A note about a draft.", public=False)
        return permit

    def use(
        self,
        permit: Permit,
        release_id: str,
        *,
        sql: str = SQL,
        parameters: dict[str, Any] | None = None,
        says: dict[str, str] | None = None,
        state: str = "closed",
        closed: int = NOW - 1,
    ) -> QueryRow:
        """A query that has ended.

        Args:
            says: node to ``answer``, ``late``, ``refused`` or ``silent``.
        """
        words = says or {"RX1": "answer", "RX2": "answer", "RX3": "refused"}
        model = compile_query(sql, CATALOGUE, epsilon=Decimal("0.1"), as_of=None, parameters=parameters or {})
        plan = compile_plan(model, CATALOGUE)
        signed = self._intent(permit, release_id, model, plan.sha256, plan.rho_nano, tuple(sorted(words)))
        answers = [
            self._answer(signed, node, word, plan.length) for node, word in sorted(words.items()) if word != "silent"
        ]
        result = merge(signed, plan.length, answers, {entry.node: entry for entry in ENTRIES})
        row = QueryRow(
            release_id=release_id, user_id=1, project=permit.project, dataset=CATALOGUE.id, sql=sql,
            query_hash=model.sha256, plan_hash=plan.sha256, vector_length=plan.length,
            intent=signed.sign(ADA).encode(), permit=permit.sign(ANN, BOB).encode(), model=model.payload(),
            nodes=" ".join(signed.nodes), state=state, created=closed - 10, closes_at=closed, closed=closed,
            result=json.dumps(result).encode() if state in ("closed", "expired") else None,
        )  # fmt: skip
        assert self.store.queries.add(row, parameters=json.dumps(write_parameters(parameters)) if parameters else "")
        for answer, word in zip(answers, (word for _, word in sorted(words.items()) if word != "silent"), strict=True):
            assert self.store.queries.add_answer(answer, in_time=() if word == "late" else (state,))
        if state == "closed" and result["vector"] is not None:
            record_criteria(self.base, row, json.dumps(result).encode())
        return row

    def _intent(
        self, permit: Permit, release: str, model: Query, plan: str, rho: int, nodes: tuple[str, ...]
    ) -> Intent:
        return intent(
            ADA, release_id=release, project=permit.project, permit_hash=permit.sha256, query_hash=model.sha256,
            plan_hash=plan, catalogue_hash=CATALOGUE.sha256, rho_nano=rho, nodes=nodes, min_trusts=min(2, len(nodes)),
        )  # fmt: skip

    def _answer(self, signed: Intent, node: str, word: str, length: int) -> AnswerRow:
        answers = word in ("answer", "late")
        vector = struct.pack(f"<{length}q", *[1000] * length) if answers else b""
        reason = {"code": "budget-exhausted", "place": "", "fields": {"scope": "project"}}
        answer = Answer(
            federation="test", release_id=signed.release_id, query_hash=signed.query_hash, plan_hash=signed.plan_hash,
            node=node, data_version=1, policy_hash="", mode="local", status="answer" if answers else "refused",
            vector_sha256=hashlib.sha256(vector).hexdigest() if answers else "", vector_length=length if answers else 0,
            rho_nano=signed.rho_nano if answers else 0, ledger_seq=3, reasons=() if answers else (reason,),
        )  # fmt: skip
        return AnswerRow(
            release_id=signed.release_id, node=node, envelope=answer.sign(NODES[node]).encode(), vector=vector,
            status=answer.status, rho_nano=answer.rho_nano, late=False, received=NOW - 1,
        )  # fmt: skip


@contextmanager
def serving(
    folder: Path, *, with_local: bool = False, keep_seconds: float = 0
) -> Iterator[tuple[PublicSite, ClientHome]]:
    """A site over HTTPS on this machine, at today's date, and the home folder of Ada, who leads its projects.

    Args:
        with_local: people may sign in with a password and a code at the coordinator itself.
        keep_seconds: how old what the public reads may be.
    """
    store = fresh_store(folder)
    key, port = new_tls_key(), free_port()
    made = PublicSite(
        store,
        folder,
        now=int(time.time()),
        public=f"localhost:{port}",
        with_local=with_local,
        keep_seconds=keep_seconds,
    )
    (folder / "server.key.pem").write_bytes(key)
    now = datetime.datetime.now(datetime.UTC)
    (folder / "server.pem").write_bytes(AUTHORITY.issue_server(key, hosts=["localhost"], now=now))
    home = ClientHome(folder / "home")
    home.write_settings(ClientSettings(coordinator=f"localhost:{port}", user="ada", key="key.pem", sign_in="key"))
    home.authority.write_bytes(AUTHORITY.certificate_pem)
    home.root.write_bytes(ROOT.payload())
    ADA.save(home.default_key)
    server = uvicorn.Server(
        uvicorn.Config(
            made.app, host="127.0.0.1", port=port, lifespan="off", ws="none", log_config=None,
            ssl_keyfile=str(folder / "server.key.pem"), ssl_certfile=str(folder / "server.pem"),
        )
    )  # fmt: skip
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield made, home
    server.should_exit = True
    thread.join()
    store.close()

"""The coordinator's HTTPS API over a real store, without its sockets."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from coordinator.api import make_app
from coordinator.api.context import Api, token_hash
from coordinator.api.limits import RateLimit
from coordinator.config import Home, parse_settings, sample_text
from coordinator.enrolment import Desk
from coordinator.fleet.links import Fleet
from coordinator.fleet.previews import Previews
from coordinator.projects.office import ProjectOffice
from coordinator.projects.releases import record_criteria
from coordinator.queries import QueryService
from coordinator.rosters import Rosters
from coordinator.services import Base
from coordinator.signin.opening import open_desk
from coordinator.store import ApplicationRow, ProjectRow, Store
from tests.factories.documents import COORDINATOR, NOW, node_entry, person, root, roster
from tests.factories.projects import application
from tests.lib.settings import with_keys
from trustquery.identity import Permit, SigningKey
from trustquery.identity.certificates import Authority
from trustquery.protocol.enrolment import login_message

__all__ = [
    "AUTHORITY",
    "ROOT",
    "Site",
    "application_row",
    "code_of",
    "fresh_store",
    "open_site",
    "project_row",
    "put_project",
]

HOLDERS = [SigningKey.generate() for _ in range(3)]
ROOT = root(*HOLDERS)
AUTHORITY = Authority.generate("test", datetime.datetime.fromtimestamp(NOW, datetime.UTC))


def fresh_store(folder: Path) -> Store:
    """A store in a folder; SQLite, as it is after the first start."""
    store = Store(f"sqlite+pysqlite:///{folder}/store.sqlite")
    store.create()
    return store


@dataclass
class Site:
    """The application and a way to call it."""

    base: Base
    app: FastAPI
    token: str = ""

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def login(
        self, user: str, key: SigningKey, change: Callable[[dict[str, str]], None] = lambda body: None
    ) -> httpx.Response:
        """Challenge and answer."""
        challenge = self.call("POST", "/v1/login/challenge", json={"user": user}).json()["challenge"]
        message = login_message("test", self.base.desk.authority_sha256(), user, challenge)
        body = {"user": user, "challenge": challenge, "signature": key.sign(message).hex()}
        change(body)
        return self.call("POST", "/v1/login", json=body)

    def as_user(self, name: str, *, level: int = 3, auth_time: int = NOW) -> Site:
        """The same site, seen by somebody who is signed in: strongly and just now, unless told otherwise."""
        user = self.base.store.people.find(name)
        assert user is not None
        token = f"token of {name}"
        sessions = self.base.store.sessions
        sessions.close(token_hash(token))
        assert sessions.open(token_hash(token), user.id, NOW + 3600, NOW, level=level, auth_time=auth_time)
        return replace(self, token=token)


def code_of(response: httpx.Response) -> str:
    """The error code of a refusal."""
    return str(response.json()["problems"][0]["code"])


def project_row(permit: Permit, *signers: SigningKey) -> ProjectRow:
    """A live project with its permit."""
    return ProjectRow(
        name=permit.project, version=permit.version, permit=permit.sign(*signers).encode(),
        permit_hash=permit.sha256, state="approved", added=NOW,
    )  # fmt: skip


def application_row(project: str, key: SigningKey) -> ApplicationRow:
    """An approved application, signed with the key of its lead, who is Ada."""
    found = application(project=project, key=key.public.hex())
    return ApplicationRow(
        project=project, version=1, state="approved", applicant="chief", answers="{}", updated=NOW,
        envelope=found.sign(key).encode(), sha256=found.sha256,
    )  # fmt: skip


def put_project(store: Store, row: ProjectRow) -> None:
    """Have a project, or change it, as if the committee had decided so."""
    with store.transaction() as session:
        session.merge(row)


def open_site(
    store: Store, folder: Path, committee: Mapping[str, SigningKey], node: SigningKey, *, burst: int = 100
) -> Site:
    """A coordinator at ``NOW`` with one trust, RX1, and this committee.

    Args:
        burst: sign-ins, and as many questions, that are not slowed.
    """
    settings = parse_settings(with_keys(sample_text().replace('"demo"', '"test"')))
    rosters = Rosters(store, ROOT)
    people = tuple(person(name, key) for name, key in committee.items())
    rosters.install(roster((node_entry("RX1", node),), people).sign(*HOLDERS[:2]).encode(), NOW)
    desk = Desk(store, ROOT, AUTHORITY, "localhost:8443", lambda: NOW)
    base = Base(Home(folder), settings, ROOT, store, rosters, desk)
    if not base.home.key.exists():
        COORDINATOR.save(base.home.key)
    fleet = Fleet()
    rates = [RateLimit(burst=burst, per_minute=1, clock=time.monotonic) for _ in range(2)]
    queries = QueryService(store, rosters, fleet, lambda: NOW, partial(record_criteria, base))
    office = ProjectOffice(store, rosters, "test", lambda: NOW)
    signin = open_desk(base.home, settings, store, lambda: NOW)
    return Site(base, make_app(Api(base, fleet, Previews(fleet), queries, office, rates[0], rates[1], signin)))

"""What every route needs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from coordinator.api.limits import Rate
from coordinator.fleet.links import Fleet
from coordinator.fleet.previews import Previews
from coordinator.projects.office import ProjectOffice
from coordinator.queries import QueryService
from coordinator.services import Base
from coordinator.signin.desk import SignInDesk
from coordinator.signin.local import LocalProvider

__all__ = ["Api", "ApiDep", "Body", "Hex32", "ShortName", "client_of", "token_hash"]

Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ShortName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Body(BaseModel):
    """Base of every request body: no unknown field, no guessing of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True)
class Api:
    """The coordinator as its routes see it."""

    base: Base
    fleet: Fleet
    previews: Previews
    queries: QueryService
    projects: ProjectOffice
    login_rate: Rate
    work_rate: Rate
    signin: SignInDesk
    local: LocalProvider | None = None


def _api(request: Request) -> Api:
    return cast(Api, request.app.state.api)


ApiDep = Annotated[Api, Depends(_api)]


def token_hash(token: str) -> str:
    """How a session token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def client_of(request: Request) -> str:
    """The address that a request came from, for rate limits only."""
    return request.client.host if request.client is not None else "unknown"

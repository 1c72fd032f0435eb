"""Inputs: uploaded by a project's team, approved or refused by somebody else, used by everybody."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

from coordinator.api.applications import SignedRequest
from coordinator.api.context import Api, ApiDep, Body, ShortName
from coordinator.api.door import Asking, AskingDep, acts, doors
from coordinator.projects.inputs import Upload
from coordinator.store import InputRow
from coordinator.transparency.inputs import is_open
from trustquery.codelists import CodingSystem
from trustquery.errors import TrustQueryError
from trustquery.projects.inputs import InputVerdict

__all__ = ["router"]

router = doors(prefix="/v1/inputs")

TableName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Version = Annotated[int, Path(ge=1, le=999_999_999)]


class UploadRequest(Body):
    """A file, in base64, and what it is said to be."""

    project: ShortName
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    version: Annotated[int, Field(ge=1, le=999_999_999)]
    system: Annotated[CodingSystem, Field(strict=False)]
    column: Annotated[str, Field(max_length=63)] = ""
    file: Annotated[str, Field(min_length=1, max_length=200)]
    content: Annotated[str, Field(max_length=2_050_000)]

    def decoded(self) -> bytes:
        """The file's bytes.

        Raises:
            TrustQueryError: ``query-input-invalid``.
        """
        try:
            return base64.b64decode(self.content.encode(), validate=True)
        except (binascii.Error, ValueError) as error:
            raise TrustQueryError("query-input-invalid", self.file, reason="it did not come as base64") from error


class RetractInput(Body):
    """Why an input is taken back."""

    reason: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]


def _view(row: InputRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "version": row.version,
        "sha256": row.sha256,
        "system": row.system,
        "column": row.column,
        "rows": row.rows,
        "project": row.project,
        "uploader": row.uploader,
        "state": row.state,
        "updated": row.updated,
        "approval": row.approval.decode("ascii"),
    }


@router.post("", status_code=201)
@acts("input.upload")
async def upload(body: UploadRequest, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Check a codelist or look-up and keep it until somebody else decides on it."""
    await api.work_rate.count(asking.actor.person)
    await asking.check_project(body.project)
    given = Upload(
        project=body.project,
        person=asking.actor.person,
        key=asking.user.public_key,
        name=body.name,
        version=body.version,
        system=body.system,
        column=body.column,
        file=body.file,
        content=body.decoded(),
    )
    return _view(await asyncio.to_thread(api.projects.inputs.upload, given))


@router.get("")
@acts("input.list")
async def list_inputs(asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Every input that queries may pin or could once, and others as far as the asker may read them."""
    return {"inputs": await asyncio.to_thread(_readable, asking, api)}


def _readable(asking: Asking, api: Api) -> list[dict[str, Any]]:
    rows = api.base.store.inputs.everyone()
    desk = api.projects.inputs
    return [_view(row) for row in rows if is_open(row) or asking.reads(desk.resource(row), "input.read")]


@router.get("/{name}/{version}/table")
@acts("input.use")
async def approved_table(name: TableName, version: Version, api: ApiDep) -> dict[str, Any]:
    """An input that was approved: its table, the signed approval, and the roster to check it with."""
    row = await asyncio.to_thread(api.base.store.inputs.get, name, version)
    if row is None or not is_open(row):
        raise TrustQueryError("query-input-absent", table=f"{name}@{version}")
    return await asyncio.to_thread(_whole, api, row)


@router.get("/{name}/{version}")
@acts("input.read")
async def one_input(name: TableName, version: Version, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """An input that is not approved yet, for its team and for who decides."""
    row = await _find(asking, name, version)
    return await asyncio.to_thread(_whole, api, row)


def _whole(api: Api, row: InputRow) -> dict[str, Any]:
    store = api.base.store
    document = store.inputs.content(row.sha256)
    events = [event for event in store.inputs.events(row.name) if event.version == row.version]
    return _view(row) | {
        "table": json.loads(document) if document is not None else None,
        **api.base.federation_documents(),
        "events": [{"at": event.at, "action": event.action, "text": event.text} for event in events],
    }


@router.post("/{name}/{version}/approve")
@acts("input.approve")
async def approve(name: TableName, version: Version, body: SignedRequest, asking: AskingDep) -> dict[str, Any]:
    """Approve an input: a decision signed by a member of the committee who has no part in it."""
    return await _decided(asking, name, version, "approve", body)


@router.post("/{name}/{version}/refuse")
@acts("input.refuse")
async def refuse(name: TableName, version: Version, body: SignedRequest, asking: AskingDep) -> dict[str, Any]:
    """Refuse an input, and delete its content: a signed decision."""
    return await _decided(asking, name, version, "refuse", body)


@router.post("/{name}/{version}/withdraw")
@acts("input.withdraw")
async def withdraw(name: TableName, version: Version, body: SignedRequest, asking: AskingDep) -> dict[str, Any]:
    """Let no query pin an approved input from now on: a decision signed by any member of the committee."""
    return await _decided(asking, name, version, "withdraw", body)


async def _decided(
    asking: Asking, name: str, version: int, verdict: InputVerdict, body: SignedRequest
) -> dict[str, Any]:
    await _find(asking, name, version)
    decide = asking.api.projects.inputs.decide
    return _view(await asyncio.to_thread(decide, name, version, asking.actor.person, body.signed, verdict))


@router.post("/{name}/{version}/retract")
@acts("input.retract")
async def retract(
    name: TableName, version: Version, body: RetractInput, asking: AskingDep, api: ApiDep
) -> dict[str, Any]:
    """Take back an input that nobody has approved yet."""
    await _find(asking, name, version)
    done = api.projects.inputs.retract
    return _view(await asyncio.to_thread(done, name, version, asking.actor.person, body.reason))


async def _find(asking: Asking, name: str, version: int) -> InputRow:
    """An input, once the asker may do the route's action on it.

    Raises:
        TrustQueryError: ``query-input-absent``, whether it exists or not; ``auth-not-permitted``.
    """
    absent = TrustQueryError("query-input-absent", table=f"{name}@{version}")
    row = await asyncio.to_thread(asking.api.base.store.inputs.get, name, version)
    if row is None:
        raise absent
    resource = await asyncio.to_thread(asking.api.projects.inputs.resource, row)
    await asking.check(resource, absent)
    return row

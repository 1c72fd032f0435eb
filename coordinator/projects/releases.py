"""Publishing a released result, and withdrawing it: events that stay, never a change of what was said before."""

from __future__ import annotations

import base64
import json
from typing import Any

from coordinator.queries import State
from coordinator.services import Base
from coordinator.store import QueryRow, ReleaseEventRow
from trustquery.codelists import PublicTable, shipped
from trustquery.errors import TrustQueryError
from trustquery.identity import Answer, Envelope, Intent
from trustquery.model import Query
from trustquery.outputs import own_cells, read, read_keys, trust_axis
from trustquery.outputs.criteria import criteria_of
from trustquery.outputs.wanted import wanted
from trustquery.planning import compile_plan
from trustquery.protocol.answers import read_vector

__all__ = ["publish", "result_table", "withdraw"]


def publish(base: Base, row: QueryRow, actor: str, now: int) -> None:
    """Make a released result public.

    Args:
        actor: who, in words that may be published.

    Raises:
        TrustQueryError: ``query-not-released``, ``query-published``, ``query-withdrawn``.
    """
    _require_released(row)
    table = json.dumps(result_table(base, row), ensure_ascii=False)
    _write(base, row, "publish", actor, "", table, now)


def withdraw(base: Base, row: QueryRow, actor: str, reason: str, now: int) -> None:
    """Withdraw a release, published or not: its entry stays in the log, marked, and its result is shown no more.

    Raises:
        TrustQueryError: ``query-not-released``, ``query-withdrawn``.
    """
    _require_released(row)
    _write(base, row, "withdraw", actor, reason, "", now)


def _require_released(row: QueryRow) -> None:
    if row.state != State.CLOSED or row.result is None:
        raise TrustQueryError("query-not-released", query=row.release_id[:12])


def _write(base: Base, row: QueryRow, action: str, actor: str, reason: str, table: str, now: int) -> None:
    """Look and write in one transaction, with its line in the project's record."""
    with base.store.projects.change(row.project, now) as change:
        before = {event.action for event in change.release_events(row.release_id)}
        if "withdraw" in before:
            raise TrustQueryError("query-withdrawn", query=row.release_id[:12])
        if action in before:
            raise TrustQueryError("query-published", query=row.release_id[:12])
        change.add(
            ReleaseEventRow(release_id=row.release_id, at=now, action=action, actor=actor, reason=reason, table=table)
        )
        done = "The result was published." if action == "publish" else f"The release was withdrawn: {reason}"
        change.note(action, actor, f"Query {row.query_hash[:12]}, release {row.release_id[:12]}. {done}")


def _signed(row: QueryRow, result: dict[str, Any]) -> tuple[Intent, list[Answer]]:
    """The intent and the answers that a released result is made of; they were verified when they came."""
    intent = Intent.read(row.intent)
    signed = (Envelope.decode(str(item["envelope"]).encode(), kind=Answer.KIND) for item in result["trusts"])
    return intent, [Answer.from_payload(envelope.payload) for envelope in signed]


def result_table(base: Base, row: QueryRow) -> dict[str, Any]:
    """The released table as JSON data: what ``trustquery.outputs.Table.document`` gives, and the criteria's record.

    Raises:
        TrustQueryError: ``query-catalogue-mismatch``: the catalogue has changed since; ``query-plan-mismatch``;
            ``policy-profile-unknown``.
    """
    model = Query.from_payload(row.model)
    catalogue = base.catalogues.get(model.catalogue_id)
    if catalogue is None or catalogue.sha256 != model.catalogue_sha256:
        raise TrustQueryError("query-catalogue-mismatch", catalogue=model.catalogue_id)
    kept = base.store.queries.tables([pin.sha256 for pin in model.inputs])
    public = shipped().with_more([PublicTable.from_document(json.loads(document)) for document in kept])
    plan = compile_plan(model, catalogue, public)
    if plan.sha256 != row.plan_hash:
        raise TrustQueryError("query-plan-mismatch", place="plan_hash")
    result = json.loads(row.result or b"{}")
    here = {str(item["node"]) for item in result["trusts"]}
    intent, answers = _signed(row, result)
    profile = wanted(intent.disclosure_profile, answers).profile
    record = {"criteria": criteria_of(intent, answers, plan).record()}
    if plan.has_unknown_keys:
        found = {str(label): (int(total), int(trusts)) for label, total, trusts in result["vector"]}
        return read_keys(model, plan, found, public, profile=profile).document() | record
    if trust_axis(plan) is not None and all(item["vector"] for item in result["trusts"]):
        vectors = {str(item["node"]): read_vector(base64.b64decode(item["vector"])) for item in result["trusts"]}
        return (
            read(model, plan, own_cells(plan, vectors), 1, catalogue, public, here, profile=profile).document() | record
        )
    merged = [int(number) for number in result["vector"]]
    return read(model, plan, merged, len(here), catalogue, public, here, profile=profile).document() | record

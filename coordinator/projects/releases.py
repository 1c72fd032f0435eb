"""Publishing a released result, and withdrawing it: events that stay, never a change of what was said before."""

from __future__ import annotations

import base64
import json
from typing import Any

from coordinator.queries import State
from coordinator.services import Base
from coordinator.store import CriteriaRow, QueryRow, ReleaseEventRow, Store
from trustquery.catalogue import Catalogue
from trustquery.codelists import PublicTable, PublicTables, shipped
from trustquery.errors import TrustQueryError
from trustquery.identity import Answer, Envelope, Intent
from trustquery.model import Query
from trustquery.outputs import Table, own_cells, read, read_keys, trust_axis
from trustquery.outputs.criteria import criteria_of
from trustquery.outputs.profiles import Profile
from trustquery.outputs.wanted import wanted
from trustquery.planning import Plan, compile_plan
from trustquery.projects.register import iso_day
from trustquery.protocol.answers import read_vector
from trustquery.reviews.shown import REVIEWED_BY, every_cell, table_digest

__all__ = [
    "criteria_row",
    "publish",
    "record_criteria",
    "result_erased",
    "result_table",
    "reviewed_digest",
    "withdraw",
]


def publish(base: Base, row: QueryRow, actor: str, now: int) -> None:
    """Make a released result public.

    Args:
        actor: who, in words that may be published.

    Raises:
        TrustQueryError: ``query-not-released``, ``query-published``, ``query-withdrawn``; ``query-result-erased``: its
            time was up before anybody published it; ``policy-review-differs``: it is not the table any more that two
            output checkers approved.
    """
    _require_released(row)
    content = row.result
    if content is None:
        raise result_erased(base.store, row)
    review = base.store.reviews.get(row.release_id)
    if review is not None and reviewed_digest(base, row, content) != review.table_sha256:
        raise TrustQueryError("policy-review-differs", problem="the table is not the one that was approved any more")
    reviewed_by = REVIEWED_BY if review is not None else ()
    table = json.dumps(result_table(base, row, content, reviewed_by=reviewed_by), ensure_ascii=False)
    _write(base, row, "publish", actor, "", table, now)


def withdraw(base: Base, row: QueryRow, actor: str, reason: str, now: int) -> None:
    """Withdraw a release, published or not: its entry stays in the log, marked, and its result is shown no more.

    Raises:
        TrustQueryError: ``query-not-released``, ``query-withdrawn``.
    """
    _require_released(row)
    _write(base, row, "withdraw", actor, reason, "", now)


def _require_released(row: QueryRow) -> None:
    if row.state != State.CLOSED:
        raise TrustQueryError("query-not-released", query=row.release_id[:12])


def result_erased(store: Store, row: QueryRow) -> TrustQueryError:
    """What there is to say where a result was and is no more."""
    at = store.keeping.erased([row.release_id]).get(row.release_id, row.closed)
    return TrustQueryError("query-result-erased", query=row.release_id[:12], date=iso_day(at), hash=row.query_hash[:12])


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


def _planned(base: Base, row: QueryRow) -> tuple[Query, Catalogue, PublicTables, Plan]:
    """What was asked, and its plan, made again from what was signed."""
    model = Query.from_payload(row.model)
    catalogue = base.catalogues.get(model.catalogue_id)
    if catalogue is None or catalogue.sha256 != model.catalogue_sha256:
        raise TrustQueryError("query-catalogue-mismatch", catalogue=model.catalogue_id)
    kept = base.store.queries.tables([pin.sha256 for pin in model.inputs])
    public = shipped().with_more([PublicTable.from_document(json.loads(document)) for document in kept])
    plan = compile_plan(model, catalogue, public)
    if plan.sha256 != row.plan_hash:
        raise TrustQueryError("query-plan-mismatch", place="plan_hash")
    return model, catalogue, public, plan


def criteria_row(base: Base, row: QueryRow, content: bytes, reviewed_by: tuple[str, ...] = ()) -> CriteriaRow:
    """The record of its criteria that is bound to a merged result, published or not.

    Args:
        content: the merged result.
        reviewed_by: who approved it before it is shown.

    Raises:
        TrustQueryError: as ``result_table``.
    """
    intent, answers = _signed(row, json.loads(content))
    record = criteria_of(intent, answers, _planned(base, row)[3], reviewed_by)
    return CriteriaRow(release_id=row.release_id, sha256=record.sha256, record=record.model_dump_json())


def record_criteria(base: Base, row: QueryRow, content: bytes) -> None:
    """Keep the criteria of a result that is shown when it is made, so that nobody reviews it first.

    Of one that is reviewed, ``coordinator.projects.reviewing`` keeps them with the approval.

    Raises:
        TrustQueryError: as ``result_table``.
    """
    base.store.keeping.add_criteria(criteria_row(base, row, content))


def result_table(
    base: Base, row: QueryRow, content: bytes, *, reviewed_by: tuple[str, ...] = (), whole: bool = False
) -> dict[str, Any]:
    """A merged result's table as JSON data: ``trustquery.outputs.Table.document``, and the criteria's record.

    Args:
        content: the merged result.
        reviewed_by: who looks at it before it is shown.
        whole: every cell of it, whatever the question filters or cuts afterwards, and no record.

    Raises:
        TrustQueryError: ``query-catalogue-mismatch``: the catalogue has changed since; ``query-plan-mismatch``;
            ``policy-profile-unknown``.
    """
    model, catalogue, public, plan = _planned(base, row)
    result = json.loads(content)
    intent, answers = _signed(row, result)
    shown = every_cell(model) if whole else model
    table = _table(result, shown, plan, catalogue, public, wanted(intent.disclosure_profile, answers).profile)
    if whole:
        return table.document()
    return table.document() | {"criteria": criteria_of(intent, answers, plan, reviewed_by).record()}


def _table(
    result: dict[str, Any], model: Query, plan: Plan, catalogue: Catalogue, public: PublicTables, profile: Profile
) -> Table:
    here = {str(item["node"]) for item in result["trusts"]}
    if plan.has_unknown_keys:
        found = {str(label): (int(total), int(trusts)) for label, total, trusts in result["vector"]}
        return read_keys(model, plan, found, public, profile=profile)
    if trust_axis(plan) is not None and all(item["vector"] for item in result["trusts"]):
        vectors = {str(item["node"]): read_vector(base64.b64decode(item["vector"])) for item in result["trusts"]}
        return read(model, plan, own_cells(plan, vectors), 1, catalogue, public, here, profile=profile)
    merged = [int(number) for number in result["vector"]]
    return read(model, plan, merged, len(here), catalogue, public, here, profile=profile)


def reviewed_digest(base: Base, row: QueryRow, content: bytes) -> str:
    """The hash by which verdicts name a merged result: of the very table that its project would see.

    Raises:
        TrustQueryError: as ``result_table``.
    """
    table = result_table(base, row, content, reviewed_by=REVIEWED_BY)
    return table_digest(table, result_table(base, row, content, whole=True))

"""An earlier query's result, verified again from the signed parts that the coordinator keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trustquery.client.inputs import fetch_inputs
from trustquery.errors import TrustQueryError
from trustquery.forecast.explain import cost_of
from trustquery.identity import Intent
from trustquery.model import Query as Model
from trustquery.planning import compile_plan
from trustquery.question.result import Result, read_result, require_shown

if TYPE_CHECKING:
    from trustquery.client.connection import Connection

__all__ = ["past_result"]


def past_result(connection: Connection, query: str) -> Result:
    """The result of one of your queries.

    Raises:
        TrustQueryError: ``query-unknown``, ``query-no-answer`` while there is none, ``query-in-review``,
            ``query-returned``, ``query-result-erased`` when its time is over, ``auth-document``.
    """
    view = connection.status(query)
    key = connection.key()
    intent, _, _ = Intent.verify(str(view["intent"]).encode(), {key.key_id: key.public}, 1)
    model = Model.from_payload(str(view["model"]).encode())
    if model.sha256 != intent.query_hash or intent.release_id != view["query"]:
        raise TrustQueryError("auth-document", document="query", problem="it is not the one that you signed")
    require_shown(view)
    project = connection.project(intent.project)
    catalogue = connection.dataset(model.catalogue_id)
    public = fetch_inputs(connection, str(view["query"]), model)
    plan = compile_plan(model, catalogue, public)
    return read_result(
        view,
        intent=intent,
        model=model,
        plan=plan,
        catalogue=catalogue,
        roster=project.roster,
        cost=cost_of(plan, catalogue),
        shares={},
        public=public,
    )

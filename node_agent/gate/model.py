"""Step 5: the query as data, over a catalogue that this node serves."""

from __future__ import annotations

from node_agent.engines.base import Engine
from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.catalogue import Catalogue
from trustquery.errors import TrustQueryError
from trustquery.identity import Permit
from trustquery.model import Query

__all__ = ["read", "run"]


def read(payload: bytes, permit: Permit, ports: Ports) -> tuple[Query, Catalogue, Engine]:
    """Read a model; find its catalogue and an engine over the data version now in use.

    Raises:
        TrustQueryError: ``query-model-invalid``, ``project-dataset-not-permitted``, ``query-catalogue-mismatch``,
            ``data-table-unavailable``, ``data-not-prepared``.
    """
    query = Query.from_payload(payload)
    if query.catalogue_id not in permit.datasets:
        raise TrustQueryError("project-dataset-not-permitted", project=permit.project, dataset=query.catalogue_id)
    catalogue = ports.catalogue(query.catalogue_id)
    if (catalogue.version, catalogue.sha256) != (query.catalogue_version, query.catalogue_sha256):
        raise TrustQueryError("query-catalogue-mismatch", catalogue=query.catalogue_id)
    engine = ports.engine(query.catalogue_id)
    missing = sorted(query.tables() - engine.tables(query.catalogue_id))
    if missing:
        raise TrustQueryError("data-table-unavailable", table=missing[0], dataset=query.catalogue_id)
    return query, catalogue, engine


def run(case: Case, ports: Ports) -> None:
    """Read the model and require that it is the one signed.

    Raises:
        TrustQueryError: as ``read``, and ``auth-document``.
    """
    intent = case.intent
    query, catalogue, engine = read(case.offer.model, case.project.permit, ports)
    if query.sha256 != intent.query_hash:
        raise TrustQueryError("auth-document", document="intent", problem="it names another query")
    if catalogue.sha256 != intent.catalogue_hash:
        raise TrustQueryError("query-catalogue-mismatch", catalogue=catalogue.id)
    for item in intent.inputs:
        if (item.id, item.version, item.sha256) != (catalogue.id, catalogue.version, catalogue.sha256):
            raise TrustQueryError("query-catalogue-mismatch", catalogue=item.id)
    if (query.mode, query.as_of) != (intent.mode, intent.as_of):
        raise TrustQueryError("auth-document", document="intent", problem="its mode or date is not the query's")
    case.query, case.catalogue, case.engine = query, catalogue, engine

"""Step 5: the query as data, over a catalogue that this node serves and public tables that it holds."""

from __future__ import annotations

from dataclasses import dataclass

from node_agent.engines.base import Engine
from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.catalogue import Catalogue
from trustquery.codelists import PublicTables
from trustquery.errors import TrustQueryError
from trustquery.identity import Permit
from trustquery.model import Query

__all__ = ["Reading", "read", "run"]


@dataclass(frozen=True)
class Reading:
    """A model and what it is to be run with; the tables stay the same even if their files change meanwhile."""

    query: Query
    catalogue: Catalogue
    inputs: PublicTables
    engine: Engine


def read(payload: bytes, permit: Permit, ports: Ports) -> Reading:
    """Read a model; find its catalogue, the public tables that it pins, and an engine over the data version in use.

    Raises:
        TrustQueryError: ``query-model-invalid``, ``project-dataset-not-permitted``, ``query-catalogue-mismatch``,
            ``query-input-unknown``, ``query-input-differs``, ``query-input-withdrawn``, ``data-table-unavailable``,
            ``data-not-prepared``.
    """
    query = Query.from_payload(payload)
    if query.catalogue_id not in permit.datasets:
        raise TrustQueryError("project-dataset-not-permitted", project=permit.project, dataset=query.catalogue_id)
    catalogue = ports.catalogue(query.catalogue_id)
    if (catalogue.version, catalogue.sha256) != (query.catalogue_version, query.catalogue_sha256):
        raise TrustQueryError("query-catalogue-mismatch", catalogue=query.catalogue_id)
    ports.documents.check_inputs(query.inputs)
    at_hand = ports.inputs(query)
    # The very tables and no others from here on.
    inputs = PublicTables([at_hand.pinned(pin) for pin in query.read_inputs])
    engine = ports.engine(query.catalogue_id, inputs, permit.opt_out_treatment)
    missing = sorted(query.tables() - engine.tables(query.catalogue_id))
    if missing:
        raise TrustQueryError("data-table-unavailable", table=missing[0], dataset=query.catalogue_id)
    return Reading(query, catalogue, inputs, engine)


def run(case: Case, ports: Ports) -> None:
    """Read the model and require that it is the one signed.

    Raises:
        TrustQueryError: as ``read``, and ``auth-document``.
    """
    intent = case.intent
    found = read(case.offer.model, case.project.permit, ports)
    query, catalogue = found.query, found.catalogue
    if query.sha256 != intent.query_hash:
        raise TrustQueryError("auth-document", document="intent", problem="it names another query")
    if catalogue.sha256 != intent.catalogue_hash:
        raise TrustQueryError("query-catalogue-mismatch", catalogue=catalogue.id)
    signed = [(item.id, item.version, item.sha256) for item in intent.inputs]
    if signed != [(pin.id, pin.version, pin.sha256) for pin in query.inputs]:
        raise TrustQueryError("auth-document", document="intent", problem="its inputs are not the query's")
    if (query.mode, query.as_of) != (intent.mode, intent.as_of):
        raise TrustQueryError("auth-document", document="intent", problem="its mode or date is not the query's")
    case.query, case.catalogue, case.inputs, case.engine = query, catalogue, found.inputs, found.engine

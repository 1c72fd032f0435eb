"""What a reviewer sees: the question in words, and the noised figures that would leave. Made from the bytes held.

The question is compiled once more here, and must come to the plan that the ledger names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from node_agent.reports.words import day_of, loss
from node_agent.reviews.bench import Held
from trustquery.catalogue import Catalogue, load
from trustquery.codelists import PublicTables
from trustquery.errors import TrustQueryError
from trustquery.model import Query
from trustquery.outputs import Table, own_cells, read, read_keys, trust_axis
from trustquery.planning import Plan, compile_plan
from trustquery.protocol.answers import read_vector
from trustquery.protocol.pairs import add_pairs
from trustquery.reviews.shown import every_cell
from trustquery.reviews.words import loss_words, plan_words, project_words

__all__ = ["View", "view_of"]


@dataclass(frozen=True)
class View:
    """What a reviewer sees.

    Attributes:
        words: sentences, in order.
        table: the trust's own figures with noise in them; never others.
    """

    words: tuple[str, ...]
    table: Table


def view_of(held: Held, node: str, inputs: Callable[[Query], PublicTables]) -> View:
    """Render a held release.

    Args:
        inputs: model to the public tables at hand of the names that it pins.

    Raises:
        TrustQueryError: ``policy-review-differs``: what was kept is not what the ledger names; ``query-…``: a public
            table is not at hand any more.
    """
    query = Query.from_payload(held.model)
    catalogue = load(query.catalogue_id)
    if (catalogue.version, catalogue.sha256) != (query.catalogue_version, query.catalogue_sha256):
        raise TrustQueryError("query-catalogue-mismatch", catalogue=query.catalogue_id)
    at_hand = inputs(query)
    public = PublicTables([at_hand.pinned(pin) for pin in query.read_inputs])
    plan = compile_plan(query, catalogue, public)
    if (query.sha256, plan.sha256) != (held.release.query_hash, held.release.plan_hash):
        raise TrustQueryError("policy-review-differs", problem="the question that was kept is not the one asked")
    # Every cell leaves in the vector. What the question filters, sorts or cuts afterwards must hide none from here.
    return View(_words(held, query, plan, catalogue), _table(held, node, every_cell(query), plan, catalogue, public))


def _table(held: Held, node: str, query: Query, plan: Plan, catalogue: Catalogue, public: PublicTables) -> Table:
    if plan.has_unknown_keys:
        return read_keys(query, plan, add_pairs([held.vector]), public)
    vector = read_vector(held.vector)
    if trust_axis(plan) is not None:
        vector = own_cells(plan, {node: vector})
    return read(query, plan, vector, 1, catalogue, public, {node})


def _words(held: Held, query: Query, plan: Plan, catalogue: Catalogue) -> tuple[str, ...]:
    return (
        *project_words(held.permit, held.intent.key_id, held.release.analyst),
        f"Reviewed because the policy asks for it for {held.why}.",
        *plan_words(query, plan, catalogue),
        loss_words(plan, loss(held.release.rho_nano)),
        f"The project ends here on {day_of(held.release.project_ends)}.",
    )

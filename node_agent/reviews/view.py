"""What a reviewer sees: the question in words, and the noised figures that would leave. Made from the bytes held.

The question is compiled once more here, and must come to the plan that the ledger names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from node_agent.reports.words import day_of, loss
from node_agent.reviews.bench import Held
from trustquery.catalogue import Catalogue, load
from trustquery.codelists import PublicTables
from trustquery.errors import TrustQueryError
from trustquery.model import Query
from trustquery.model.post import NO_POST
from trustquery.model.terms import Bound
from trustquery.outputs import Table, own_cells, read, read_keys, trust_axis
from trustquery.planning import Plan, compile_plan
from trustquery.protocol.answers import read_vector
from trustquery.protocol.pairs import add_pairs

__all__ = ["View", "view_of"]

_STATISTICS: Mapping[str, str] = {
    "count": "a count of rows",
    "count_distinct_person": "a count of people",
    "sum": "a sum",
    "histogram": "a histogram",
}


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
    whole = replace(query, post=NO_POST, inputs=query.read_inputs)
    return View(_words(held, query, plan, catalogue), _table(held, node, whole, plan, catalogue, public))


def _table(held: Held, node: str, query: Query, plan: Plan, catalogue: Catalogue, public: PublicTables) -> Table:
    if plan.has_unknown_keys:
        return read_keys(query, plan, add_pairs([held.vector]), public)
    vector = read_vector(held.vector)
    if trust_axis(plan) is not None:
        vector = own_cells(plan, {node: vector})
    return read(query, plan, vector, 1, catalogue, public, {node})


def _words(held: Held, query: Query, plan: Plan, catalogue: Catalogue) -> tuple[str, ...]:
    permit, asker = held.permit, held.permit.member(held.intent.key_id)
    who = f"{asker.name} of {asker.organisation} ({asker.role})" if asker is not None else held.release.analyst
    pinned = {pin.id for pin in query.inputs}
    tables = ", ".join(sorted({scan.table for scan in query.scans if scan.table not in pinned}))
    found = [
        f"Project {permit.project}: {permit.title}. Purpose: {permit.purpose}.",
        f"In plain words: {permit.lay_summary}",
        f"Asked by {who}.",
        f"Reviewed because the policy asks for it for {held.why}.",
        f"Reads {tables} of {catalogue.id}, as of {query.as_of}.",
    ]
    found += [f"Uses the public table {pin.id}, version {pin.version}." for pin in query.inputs]
    for axis in plan.axes:
        kind = {"unknown": "codes found in the data, rare ones left out", "trust": "the trusts asked"}.get(axis.kind)
        found.append(f"Grouped by {axis.name}: {kind or f'{len(axis.values)} public values, and other and missing'}.")
    for block in plan.blocks:
        found.append(f"Releases {_STATISTICS[block.kind]} ({block.id}), {_bound(block.bound)}.")
    found.append(
        f"{plan.cells:,} cells in all; privacy loss {loss(held.release.rho_nano)}, charged whatever you decide."
        if not plan.has_unknown_keys
        else f"Privacy loss {loss(held.release.rho_nano)}, charged whatever you decide."
    )
    found.append(f"The project ends here on {day_of(held.release.project_ends)}.")
    return tuple(found)


def _bound(bound: Bound) -> str:
    if bound.form == "rows":
        return f"with at most {bound.rows:,} rows of one person in each of at most {bound.groups:,} cells"
    if bound.form == "total":
        return f"with one person's total limited in each of at most {bound.groups:,} cells"
    return "with one person's totals limited together"

"""The plan in words, its price and its expected error; touches no data and spends nothing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trustquery.catalogue.schema import Catalogue
from trustquery.codelists import PublicTables
from trustquery.forecast.error import Forecast
from trustquery.model.multiplicity import join_caps, most_rows
from trustquery.model.nodes import AggregateRef, Literal, OutputCall, walk_output
from trustquery.model.post import post_pins, walks_bins
from trustquery.model.query import Query
from trustquery.model.relations import Join, leaves, relations
from trustquery.model.scope import Tables
from trustquery.planning.checker import pinned_tables
from trustquery.planning.plan import Block, Plan
from trustquery.privacy.budget import delta_for, epsilon_of

__all__ = ["Cost", "Explanation", "cost_of", "explain", "plan_words"]


@dataclass(frozen=True)
class Cost:
    """Privacy loss of a plan.

    Attributes:
        rho_nano: charge at each trust.
        epsilon: the same at one trust, at ``delta``, rounded up.
        epsilon_federation: for a person at the declared largest number of trusts.
        delta: at which epsilon is shown.
        max_trusts: k.
        delta_atto: charged at each trust besides, in 1e-18, for keys found in the data.
    """

    rho_nano: int
    epsilon: Decimal
    epsilon_federation: Decimal
    delta: Decimal
    max_trusts: int
    delta_atto: int = 0


def cost_of(plan: Plan, catalogue: Catalogue) -> Cost:
    """The privacy loss of a plan."""
    delta, most = delta_for(catalogue.unit.declared_people), catalogue.unit.max_trusts
    rho = plan.rho_nano
    return Cost(rho, epsilon_of(rho, delta), epsilon_of(rho, delta, trusts=most), delta, most, plan.delta_atto)


@dataclass(frozen=True)
class Explanation:
    """What a query will do, cost and be worth.

    Attributes:
        words: sentences, in order.
        chosen: whether bounds were chosen from profiles.
    """

    words: tuple[str, ...]
    cells: int
    vector_length: int
    forecast: Forecast
    cost: Cost
    chosen: bool


def _kept(query: Query, tables: Tables) -> list[str]:
    """What a join leaves out of one person's rows, so that nobody's can multiply without end."""
    joins = [node for node in relations(query.relation) if isinstance(node, Join)]
    inner = {id(node.left) for node in joins}
    words = []
    for join in joins:
        if id(join) in inner:
            continue
        caps = join_caps(join, tables)
        for leaf in leaves(join):
            cap = caps.get(leaf.alias)
            if cap is not None and cap.rows < most_rows(leaf, tables):
                each = "" if cap.by is None else f" for each {cap.by}"
                words.append(f"Joins at most {cap.rows} rows of one person from {leaf.alias}{each}, chosen by rank.")
    return words


def explain(
    query: Query,
    plan: Plan,
    catalogue: Catalogue,
    forecast: Forecast,
    *,
    chosen: bool = False,
    public: PublicTables | None = None,
) -> Explanation:
    """Describe a plan.

    Args:
        forecast: of this plan (``forecast.error``).
        chosen: whether bounds were chosen from profiles.
        public: public tables at hand; those that ship when None.
    """
    words = plan_words(query, plan, catalogue, public)
    return Explanation(words, plan.cells, plan.length, forecast, cost_of(plan, catalogue), chosen)


def plan_words(query: Query, plan: Plan, catalogue: Catalogue, public: PublicTables | None = None) -> tuple[str, ...]:
    """What a question reads, counts and adds noise to: sentences, in order.

    Args:
        public: public tables at hand; those that ship when None.
    """
    pinned = {pin.id for pin in query.inputs}
    tables = ", ".join(scan.table for scan in query.scans if scan.table not in pinned)
    words = [f"Reads {tables} of {catalogue.id}, one person's rows at a time, joined on the person key."]
    for pin in query.inputs:
        words.append(f"Looks up in the public table {pin.id}, version {pin.words}, the same at every trust.")
    words += _kept(query, pinned_tables(query, catalogue, public))
    for axis in plan.axes:
        if axis.kind == "unknown":
            words += _unknown(plan, axis.name)
            continue
        if axis.kind == "trust":
            words.append(f"Groups by {axis.name}: each of the {len(axis.values)} trusts asked in cells of its own.")
            continue
        words.append(f"Groups by {axis.name}: {len(axis.values)} public values, and the cells 'other' and 'missing'.")
    if not plan.has_unknown_keys:
        count = len(plan.blocks)
        words.append(
            f"Releases {plan.cells:,} cell{'s' if plan.cells > 1 else ''} of {count} "
            f"statistic{'s' if count > 1 else ''}, empty cells included."
        )
    words += _readings(query, plan)
    words.append("Adds discrete Gaussian noise at each trust before anything leaves it.")
    words += _afterwards(query)
    return tuple(words)


def _unknown(plan: Plan, name: str) -> list[str]:
    """A thresholded release in words."""
    [block] = plan.blocks
    delta = format((Decimal(plan.delta_atto) / 10**18).normalize(), "e")
    return [
        f"Groups by {name}, whose values are found in the data; rarer values never leave, so the list is not complete.",
        f"At each trust a value leaves only where its noised count is {block.threshold:,} or more.",
        f"Spends a delta of {delta} at each trust besides the privacy loss below.",
    ]


def _readings(query: Query, plan: Plan) -> list[str]:
    """What is read out of bins: its error depends on the data, so there is no forecast, only words."""
    found = []
    for output in query.outputs:
        for node in walk_output(output.expression):
            if isinstance(node, OutputCall) and node.function == "quantile":
                source, share = node.arguments
                block = plan.blocks[source.aggregate] if isinstance(source, AggregateRef) else None
                if block is not None and isinstance(share, Literal):
                    found.append(
                        f"Reads {output.name}, a quantile at {share.value}, from {block.width} bins of {block.id}"
                        f"{_tree_words(block)}; its interval is never narrower than a bin."
                    )
    if any(walks_bins(output.expression) for output in query.outputs):
        found.append("Gives a row for each bin of each cell.")
    return found


def _tree_words(block: Block) -> str:
    return f" and their sums, {len(block.levels)} levels in all" if block.branching else ""


def _afterwards(query: Query) -> list[str]:
    """What happens to the merged, noised table."""
    tails = [query.post.tail, *(stage.tail for stage in query.post.stages)]
    done = []
    if query.post.stages:
        done.append(f"{len(query.post.stages)} outer SELECTs" if len(query.post.stages) > 1 else "an outer SELECT")
    done += [f"public table {pin.id} version {pin.version}" for pin in post_pins(query)]
    done += [
        word
        for word, there in (
            ("HAVING", any(tail.having is not None for tail in tails)),
            ("ORDER BY", any(tail.order for tail in tails)),
            ("LIMIT", any(tail.limit is not None or tail.offset for tail in tails)),
        )
        if there
    ]
    return [f"Then, on the merged, noised table and at no privacy cost: {', '.join(done)}."] if done else []

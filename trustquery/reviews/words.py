"""A question in words for those who review what comes of it, at a trust or for a project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trustquery.catalogue import Catalogue
    from trustquery.identity import Permit
    from trustquery.model import Query
    from trustquery.model.terms import Bound
    from trustquery.planning import Plan

__all__ = ["loss_words", "plan_words", "project_words"]

_STATISTICS: Mapping[str, str] = {
    "count": "a count of rows",
    "count_distinct_person": "a count of people",
    "sum": "a sum",
    "histogram": "a histogram",
}


def project_words(permit: Permit, key_id: str, otherwise: str) -> tuple[str, ...]:
    """What project asks, for what, and who of it.

    Args:
        key_id: of the key that signed the question.
        otherwise: what is said of its holder where the permit does not name them.
    """
    asker = permit.member(key_id)
    who = f"{asker.name} of {asker.organisation} ({asker.role})" if asker is not None else otherwise
    return (
        f"Project {permit.project}: {permit.title}. Purpose: {permit.purpose}.",
        f"In plain words: {permit.lay_summary}",
        f"Asked by {who}.",
    )


def plan_words(query: Query, plan: Plan, catalogue: Catalogue) -> tuple[str, ...]:
    """What it reads, groups by and releases, and how far one person's part in that is bounded."""
    pinned = {pin.id for pin in query.inputs}
    tables = ", ".join(sorted({scan.table for scan in query.scans if scan.table not in pinned}))
    found = [f"Reads {tables} of {catalogue.id}, as of {query.as_of}."]
    found += [f"Uses the public table {pin.id}, version {pin.version}." for pin in query.inputs]
    for axis in plan.axes:
        kind = {"unknown": "codes found in the data, rare ones left out", "trust": "the trusts asked"}.get(axis.kind)
        found.append(f"Grouped by {axis.name}: {kind or f'{len(axis.values)} public values, and other and missing'}.")
    for block in plan.blocks:
        found.append(f"Releases {_STATISTICS[block.kind]} ({block.id}), {_bound(block.bound)}.")
    return tuple(found)


def loss_words(plan: Plan, loss: str) -> str:
    """What it costs.

    Args:
        loss: the privacy loss as the reader's tool writes it.
    """
    if plan.has_unknown_keys:
        return f"Privacy loss {loss}, charged whatever you decide."
    return f"{plan.cells:,} cells in all; privacy loss {loss}, charged whatever you decide."


def _bound(bound: Bound) -> str:
    if bound.form == "rows":
        return f"with at most {bound.rows:,} rows of one person in each of at most {bound.groups:,} cells"
    if bound.form == "total":
        return f"with one person's total limited in each of at most {bound.groups:,} cells"
    return "with one person's totals limited together"

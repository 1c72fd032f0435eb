"""What the gate asks of an engine."""

from __future__ import annotations

from typing import Protocol

from node_agent.sources.store import ListUsed
from trustquery.model import Query
from trustquery.planning import Plan

__all__ = ["Engine"]


class Engine(Protocol):
    """Runs plans over one version of a trust's data."""

    @property
    def data_version(self) -> int:
        """Counter of the prepared data in use; 0 when none are prepared."""

    def tables(self, dataset: str) -> frozenset[str]:
        """Catalogue tables of a dataset that this trust holds."""

    @property
    def opt_outs(self) -> tuple[ListUsed, ...]:
        """The lists of opt-outs that every scan applies; none where people who opted out are read too."""

    def vector(self, query: Query, plan: Plan) -> list[int]:
        """The exact vector: ``plan.length`` integers within ±2^62, bounded per person.

        Raises:
            TrustQueryError: one data-independent code for every failure.
        """

    def counts(self, query: Query, plan: Plan) -> dict[str, int]:
        """The exact counts of a thresholded release, by label (``trustquery.model.unknown``), bounded per person.

        Raises:
            TrustQueryError: one data-independent code for every failure.
        """

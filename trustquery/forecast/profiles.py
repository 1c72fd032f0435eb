"""What is known of a dataset's people from released profiles, at one trust on average."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trustquery.catalogue.schema import Catalogue
from trustquery.forecast.distribution import Distribution, distribution
from trustquery.forecast.questions import About, ProfileQuestion, profile_query
from trustquery.planning import compile_plan

__all__ = ["NO_PROFILES", "Profiles", "read_profile"]


@dataclass(frozen=True)
class Profiles:
    """Released profiles of one dataset."""

    found: Mapping[ProfileQuestion, Distribution] = field(default_factory=dict)

    def get(self, table: str, about: About, column: str = "") -> Distribution | None:
        """The distribution that answers a question; None where it has not been released."""
        return self.found.get(ProfileQuestion(table, about, column))

    def relied_on(self, table: str, about: About, column: str = "") -> Distribution | None:
        """The same, and None too where it is hardly more than noise: bounds are not chosen from such."""
        known = self.get(table, about, column)
        return known if known is not None and known.sure and known.size > 0 else None


NO_PROFILES = Profiles()


def read_profile(question: ProfileQuestion, catalogue: Catalogue, merged: Sequence[int], trusts: int) -> Distribution:
    """The distribution that a merged, noised answer tells of.

    Args:
        merged: the released integers, one a bin.
        trusts: how many answered, ≥ 1.
    """
    _, query = profile_query(question, catalogue)
    [block] = compile_plan(query, catalogue).blocks
    table = catalogue.table(question.table)
    if block.bins is None or table is None or len(merged) != block.length or trusts < 1:
        raise ValueError("no answer to this question")
    sd = block.sigma_float * math.sqrt(trusts)
    largest = _largest(question, catalogue)
    counts = [float(count) for count in merged]
    return distribution(block.bins, counts, sd, trusts, largest, events=question.about == "rows")


def _largest(question: ProfileQuestion, catalogue: Catalogue) -> float:
    """The largest size that one person's value can have, by public declarations."""
    table = catalogue.table(question.table)
    column = table.column(question.column) if table is not None else None
    bounds = column.bounds if column is not None and column.bounds is not None else (0, 1)
    rows = table.row_cap if table is not None else 1
    if question.about in ("rows", "distinct"):
        return float(rows)
    return float(max(map(abs, bounds))) * (rows if question.about == "total" else 1)

"""How much privacy loss a policy allows, by scope. A figure is the promise itself, not a forecast."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from trustquery.policy.meaning import Means, Part, Tighter
from trustquery.policy.numbers import Delta, Rho

__all__ = ["Budget", "Caps", "ProfileCaps"]


class Caps(Part):
    """Privacy loss allowed in one scope. A figure is the promise itself (a privacy filter), not a forecast.

    Attributes:
        rho_12_months: in any 12 months.
        rho_lifetime: for as long as the trust keeps its data.
        delta_12_months: for thresholded releases, in any 12 months; 0 while they are not allowed.
        delta_lifetime: the same, for ever.
    """

    rho_12_months: Annotated[Rho, Means("Most privacy loss in any 12 months", Tighter.LESS, unit="rho")]
    rho_lifetime: Annotated[Rho, Means("Most privacy loss for life", Tighter.LESS, unit="rho")]
    delta_12_months: Annotated[Delta, Means("Most delta in any 12 months", Tighter.LESS)]
    delta_lifetime: Annotated[Delta, Means("Most delta for life", Tighter.LESS)]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.rho_12_months > self.rho_lifetime or self.delta_12_months > self.delta_lifetime:
            raise ValueError("the 12-month cap may not be above the lifetime cap")
        return self


class Budget(Part):
    """Caps by scope; those of a dataset stand with the dataset.

    Attributes:
        node_wide: over all tables and projects of this trust.
        project: for each project. Permit and acceptance may say less, never more.
        analyst: for each person who asks, over all their projects.
    """

    node_wide: Annotated[Caps, Means("Caps over everything this trust answers", Tighter.PARTS)]
    project: Annotated[Caps, Means("Caps of each project", Tighter.PARTS)]
    analyst: Annotated[Caps, Means("Caps of each person who asks", Tighter.PARTS)]


class ProfileCaps(Part):
    """Privacy loss that profiles of one dataset may cause here; of each dataset that is listed.

    Profiles are fixed questions about how many rows, values and totals a person has. Their answers are everybody's:
    bounds are chosen from them for every project. So they are charged to node-wide, to the dataset and to this cap, and
    to no project and no analyst. Without this section such a question is a query like any other, and so is a fresh draw
    of one. Every other rule holds for it either way.

    Attributes:
        rho_90_days: in any 90 days.
        rho_lifetime: for as long as the trust keeps its data.
    """

    rho_90_days: Annotated[Rho, Means("Most privacy loss of one dataset in any 90 days", Tighter.LESS, unit="rho")]
    rho_lifetime: Annotated[Rho, Means("Most privacy loss of one dataset for life", Tighter.LESS, unit="rho")]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.rho_90_days > self.rho_lifetime:
            raise ValueError("the 90-day cap may not be above the lifetime cap")
        return self

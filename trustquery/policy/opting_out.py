"""Which lists of opt-outs a trust goes by, and how old they may be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trustquery.policy.meaning import Means, Part, Tighter

__all__ = ["OptOuts"]


class OptOuts(Part):
    """The lists of opt-outs behind every answer whose treatment is ``applied``.

    Without this section such a question is refused. The national data opt-out always belongs to the lists. The other
    treatments of opt-outs use no list.

    Attributes:
        lists: lists that must be there: ``national``, ``type-1`` (people who objected at their practice), ``local``
            (people who objected to this trust). A list that is there is applied, named or not.
        max_age_days: how old the oldest list in use may be, in days. The national list's age counts from when the
            trust's NHS numbers were sent; another's from the day that it speaks of.
    """

    lists: Annotated[
        tuple[Literal["national", "type-1", "local"], ...],
        Means("Lists of opt-outs that must be there", Tighter.LONGER),
    ]
    max_age_days: Annotated[int, Field(ge=0, le=366), Means("Oldest list of opt-outs, in days", Tighter.LESS)]

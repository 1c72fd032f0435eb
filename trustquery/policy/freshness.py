"""How old the federation's documents may be."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trustquery.policy.meaning import Means, Part, Tighter

__all__ = ["DocumentAges"]


class DocumentAges(Part):
    """How old what the federation says may be while this trust answers.

    Attributes:
        revocations_max_age_hours: of the newest revocation statement that has come, in hours since it was issued. Past
            that every query is refused: whoever holds statements back stops the answers, and gains nothing else.
    """

    revocations_max_age_hours: Annotated[
        int, Field(ge=1, le=720), Means("Oldest revocation statement, in hours", Tighter.LESS)
    ]

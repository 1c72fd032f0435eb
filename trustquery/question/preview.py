"""What the trusts said they would do with a question: from text, policy and budget alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trustquery.errors import Problem, TrustQueryError
from trustquery.question.result import by_reason

__all__ = ["TrustPreview", "held_by", "read_previews", "require_enough"]

MILLION = 1_000_000


@dataclass(frozen=True)
class TrustPreview:
    """What one trust would do.

    Attributes:
        accepted: None when it gave no reply in time.
        reasons: why it would refuse; where it would answer, what there is to know of that.
        left: share of each budget scope left after this query, 0 to 1, where its policy shows it.
        cost: share of each that this query would take.
    """

    node: str
    name: str
    connected: bool
    accepted: bool | None
    reasons: tuple[Problem, ...]
    left: Mapping[str, float]
    cost: Mapping[str, float]

    @property
    def review_seconds(self) -> int:
        """How long people there look at the answer before it leaves, as its policy says; 0 where nobody does."""
        held = [reason.fields.get("minutes", "") for reason in self.reasons if reason.code == "policy-review-held"]
        return max((int(item) * 60 for item in held if str(item).isdecimal()), default=0) if self.accepted else 0


def read_previews(items: Iterable[Mapping[str, Any]]) -> tuple[TrustPreview, ...]:
    """Read the coordinator's ``trusts`` of a preview."""
    return tuple(_read(item) for item in items)


def _read(item: Mapping[str, Any]) -> TrustPreview:
    shares = {str(share["scope"]): share for share in item["shares"]}
    return TrustPreview(
        str(item["node"]),
        str(item["name"]),
        bool(item["connected"]),
        item["accepted"],
        tuple(Problem.from_document(reason) for reason in item["reasons"]),
        {scope: share["left_millionths"] / MILLION for scope, share in shares.items()},
        {scope: share["cost_millionths"] / MILLION for scope, share in shares.items()},
    )


def held_by(found: Iterable[TrustPreview]) -> dict[str, int]:
    """Trusts where people look at the answer first, and for how many seconds, by node: what their policies say."""
    return {trust.node: trust.review_seconds for trust in found if trust.review_seconds}


def require_enough(found: Sequence[TrustPreview], needed: int, wait: int | None = None) -> None:
    """Refuse when so many trusts would refuse that there could be no result.

    Args:
        needed: the permit's fewest trusts.
        wait: deadline, seconds; a trust whose people look for longer than that would refuse too.

    Raises:
        TrustQueryError: the trusts' own reasons, each with its trust as the place.
    """
    # A connected trust that gave no reply may still answer in time. One that is not connected may too, but the
    # others would be charged for a hope.
    late = {trust.node for trust in found if wait is not None and trust.review_seconds >= wait}
    accepting = sum(trust.connected and trust.accepted is not False and trust.node not in late for trust in found)
    if accepting < needed:
        given = by_reason((trust.node, trust.reasons) for trust in found if not trust.accepted or trust.node in late)
        few = TrustQueryError("query-too-few-accept", accepting=accepting, named=len(found), needed=needed)
        raise TrustQueryError.of([*given, few.problem])

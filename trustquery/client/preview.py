"""Asking the trusts what they would say: from text, policy and budget alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustquery.errors import Problem, TrustQueryError
from trustquery.model import Query as Model

if TYPE_CHECKING:
    from trustquery.client.connection import Connection
    from trustquery.client.project import Project

__all__ = ["TrustPreview", "ask_trusts", "held_by", "held_now"]

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


def ask_trusts(project: Project, model: Model) -> tuple[TrustPreview, ...]:
    """Ask every trust of the federation.

    Raises:
        TrustQueryError: ``project-…``, ``node-rate``.
    """
    body = {"project": project.name, "model": model.payload().decode("utf-8")}
    return tuple(_read(item) for item in project.connection.http.post("/v1/queries/preview", body)["trusts"])


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


def held_now(connection: Connection, view: Mapping[str, Any]) -> dict[str, int]:
    """The same for a query that waits for trusts; nothing where they do not say."""
    if all(trust["status"] != "waiting" for trust in view["trusts"]) or view["state"] not in ("accepted", "offered"):
        return {}
    try:
        project = connection.project(str(view["project"]))
        return held_by(ask_trusts(project, Model.from_payload(str(view["model"]).encode())))
    except TrustQueryError:
        # Where a query stands can be told without it.
        return {}

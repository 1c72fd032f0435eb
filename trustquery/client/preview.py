"""Asking the trusts what they would say, over a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trustquery.errors import TrustQueryError
from trustquery.model import Query as Model
from trustquery.question.preview import TrustPreview, held_by, read_previews

if TYPE_CHECKING:
    from trustquery.client.connection import Connection
    from trustquery.client.project import Project

__all__ = ["ask_trusts", "held_now"]


def ask_trusts(project: Project, model: Model) -> tuple[TrustPreview, ...]:
    """Ask every trust of the federation.

    Raises:
        TrustQueryError: ``project-…``, ``node-rate``.
    """
    body = {"project": project.name, "model": model.payload().decode("utf-8")}
    return read_previews(project.connection.http.post("/v1/queries/preview", body)["trusts"])


def held_now(connection: Connection, view: Mapping[str, Any]) -> dict[str, int]:
    """The trusts where people look at the answer first, for a query that waits for trusts; nothing where they do not
    say."""
    if all(trust["status"] != "waiting" for trust in view["trusts"]) or view["state"] not in ("accepted", "offered"):
        return {}
    try:
        project = connection.project(str(view["project"]))
        return held_by(ask_trusts(project, Model.from_payload(str(view["model"]).encode())))
    except TrustQueryError:
        # Where a query stands can be told without it.
        return {}

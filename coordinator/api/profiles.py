"""Released profiles of tables: for every member of a live project with the dataset, whoever asked for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import Query
from pydantic import StringConstraints

from coordinator.api.context import ApiDep, ShortName
from coordinator.api.door import AskingDep, acts, doors
from coordinator.projects import check_use
from coordinator.queries import State
from trustquery.catalogue import Catalogue
from trustquery.errors import TrustQueryError
from trustquery.forecast.questions import ProfileQuestion, profile_query, profile_questions

__all__ = ["profile_hashes", "router"]

router = doors(prefix="/v1/projects")
KNOWN_DIGITS = 16

Asked = dict[str, tuple[str, ProfileQuestion]]
KnownDigits = Annotated[str, StringConstraints(pattern=rf"^[0-9a-f]{{{KNOWN_DIGITS}}}$")]
# As a client writes them: 500 of them fit into an address that the server reads.
Known = Annotated[list[KnownDigits], Query(max_length=500, default_factory=list)]


def profile_hashes(datasets: Iterable[str], catalogues: Mapping[str, Catalogue]) -> Asked:
    """Query hash to dataset and question, of every profile question of these datasets, in the catalogues' order."""
    return {
        profile_query(question, catalogue)[1].sha256: (name, question)
        for name in datasets
        if (catalogue := catalogues.get(name)) is not None
        for question in profile_questions(catalogue)
    }


@router.get("/{name}/profiles")
@acts("project.profiles")
async def profiles(
    name: ShortName, asking: AskingDep, api: ApiDep, have: Known, dataset: ShortName | None = None
) -> dict[str, Any]:
    """The newest finished result of each profile question, with what a client needs to verify it.

    ``dataset``: one of the permit's; all of them when it is left out. ``have``: first 16 digits of the releases that
    the client keeps already; their results are left out. What is served is each trust's signed answer, its vector and
    the sum. The intent is not: it would name somebody else's project and key.
    """
    await asking.check_project(name)
    row = await asyncio.to_thread(api.base.store.projects.get, name)
    _, permit, _ = check_use(row, name, asking.user, api.queries.clock())
    if dataset is not None and dataset not in permit.datasets:
        raise TrustQueryError("project-dataset-not-permitted", project=name, dataset=dataset)
    wanted = permit.datasets if dataset is None else (dataset,)
    asked = await asyncio.to_thread(profile_hashes, wanted, api.base.catalogues)
    rows = await asyncio.to_thread(api.base.store.queries.newest, asked, state=State.CLOSED)
    newest = {row.query_hash: row for row in rows}
    known = set(have)
    missing = [row.release_id for row in rows if row.release_id[:KNOWN_DIGITS] not in known]
    results = await asyncio.to_thread(api.base.store.queries.results, missing)
    return {
        "profiles": [
            {
                "dataset": of,
                "table": question.table,
                "about": question.about,
                "column": question.column,
                "query_hash": sha256,
                "query": found.release_id if (found := newest.get(sha256)) is not None else None,
                "closed": found.closed if found is not None else 0,
                "result": _shown(results.get(found.release_id)) if found is not None else None,
            }
            for sha256, (of, question) in asked.items()
        ]
    }


def _shown(result: bytes | None) -> dict[str, Any] | None:
    """The sum and the trusts in it; why others are missing concerns the asker."""
    if result is None:
        return None
    found = json.loads(result)
    return {"vector": found["vector"], "trusts": found["trusts"]}

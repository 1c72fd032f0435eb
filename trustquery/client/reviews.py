"""Merged results in review, for output checkers: read from what the trusts signed, decided on by a signature.

The coordinator's word is not taken for the figures. Every trust's signature is checked here, the sum is repeated where
the vectors are there, and the table is read again; a verdict names the hash of that.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustquery.client.verify import read_permitted
from trustquery.codelists import PublicTable, shipped
from trustquery.errors import TrustQueryError
from trustquery.forecast.explain import cost_of
from trustquery.identity import Envelope, Intent, Permit, SigningKey
from trustquery.model import Query as Model
from trustquery.outputs import Table
from trustquery.planning import Plan, compile_plan
from trustquery.question.result import Result, read_result
from trustquery.reviews import Reason, Review, Stage, Verdict
from trustquery.reviews.shown import every_cell, table_digest
from trustquery.reviews.words import loss_words, plan_words, project_words

if TYPE_CHECKING:
    from trustquery.client.connection import Connection

__all__ = ["InReview", "Reviews"]


@dataclass(frozen=True)
class InReview:
    """A merged result in review, as it was verified and read here.

    Attributes:
        result: as its project would see it.
        cells: every cell, also those that the question filters or cuts afterwards.
        words: the question in words.
        digest: the hash by which a verdict names the table.
        raw: everything that the coordinator sent.
    """

    intent: Intent
    permit: Permit
    plan: Plan
    result: Result
    cells: Table
    words: tuple[str, ...]
    digest: str
    raw: Mapping[str, Any]

    @property
    def stage(self) -> Stage:
        """Where the review is."""
        return Stage(self.raw["stage"])


class Reviews:
    """The results that you may review.

    Args:
        connection: signed in.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = connection.http

    def everyone(self) -> list[dict[str, Any]]:
        """What is in review now and you may review: release, project, deadline, stage."""
        return list(self._http.get("/v1/reviews")["reviews"])

    def get(self, release: str) -> InReview:
        """One of them, by its id or the beginning of it.

        Raises:
            TrustQueryError: ``policy-review-unknown``, ``auth-not-permitted``; ``auth-document``: something in it is
                not what was signed; ``policy-document-stale``, ``auth-revoked``.
        """
        found = self._http.get(f"/v1/reviews/{release}")
        roster, permit = read_permitted(self._connection.home, found, str(found["project"]))
        intent = _intent(str(found["intent"]).encode(), permit, str(found["query"]))
        model = Model.from_payload(str(found["model"]).encode())
        public = shipped().with_more([PublicTable.from_document(dict(item)) for item in found["inputs"]])
        catalogue = self._connection.dataset(model.catalogue_id)
        plan = compile_plan(model, catalogue, public)
        if (model.sha256, plan.sha256) != (intent.query_hash, intent.plan_hash):
            raise TrustQueryError("auth-document", document="query", problem="it is not the one that was signed")
        view = {"query": found["query"], "result": found["result"], "review": True}

        def reading(question: Model) -> Result:
            return read_result(
                view, intent=intent, model=question, plan=plan, catalogue=catalogue, roster=roster,
                cost=cost_of(plan, catalogue), shares={}, public=public,
            )  # fmt: skip

        result, cells = reading(model), reading(every_cell(model)).table
        criteria = {"criteria": result.criteria.record()} if result.criteria is not None else {}
        words = (
            *project_words(permit, intent.key_id, "somebody"),
            *plan_words(model, plan, catalogue),
            loss_words(plan, f"epsilon {cost_of(plan, catalogue).epsilon} at each trust that answered"),
        )
        digest = table_digest(result.table.document() | criteria, cells.document())
        return InReview(intent, permit, plan, result, cells, words, digest, found)

    def decide(self, found: InReview, verdict: Verdict, reasons: Iterable[Reason], key: SigningKey) -> Stage:
        """Sign a verdict on exactly what was read here, and hand it in; returns where the review is then.

        Args:
            key: of the account that is signed in.

        Raises:
            TrustQueryError: ``policy-review-…``; ``auth-document``: the key is another one.
        """
        again, given = found.stage is Stage.DIFFER, set(reasons)
        review = Review(
            federation=found.intent.federation,
            body=found.intent.federation,
            release_id=found.intent.release_id,
            plan_hash=found.plan.sha256,
            vector_sha256=found.digest,
            round=2 if again else 1,
            seen=tuple(sorted(str(item) for item in found.raw["first"])) if again else (),
            verdict=verdict,
            reasons=tuple(reason for reason in Reason if reason in given),
            reviewer=str(found.raw["you"]),
            given=int(time.time()),
        )
        body = {"envelope": review.sign(key).encode().decode("ascii")}
        return Stage(self._http.post(f"/v1/reviews/{found.intent.release_id}/verdict", body)["stage"])


def _intent(envelope: bytes, permit: Permit, query: str) -> Intent:
    """The signed question: its asker is on the permit, and signed it with the key there.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    named = Intent.from_payload(Envelope.decode(envelope, kind=Intent.KIND).payload)
    member = permit.member(named.key_id)
    ring = {named.key_id: bytes.fromhex(member.key)} if member is not None else {}
    intent, _, _ = Intent.verify(envelope, ring, 1)
    if (intent.permit_hash, intent.release_id) != (permit.sha256, query):
        raise TrustQueryError("auth-document", document="intent", problem="it is about something else")
    return intent

"""A public site whose questions are asked and answered through the coordinator's own ways, with output checkers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from coordinator.api.context import token_hash
from coordinator.projects.reviewing import ReviewDesk
from coordinator.queries import QueryService
from tests.factories.documents import intent
from tests.lib.public_site import ADA, CATALOGUE, NODES, SQL, PublicSite
from tests.lib.site import fresh_store
from trustquery.access import Held, Role
from trustquery.identity import Answer, Intent, Permit, SigningKey
from trustquery.language import compile_query
from trustquery.planning import PLAN_FORMAT, compile_plan
from trustquery.protocol.messages import AnswerMessage
from trustquery.reviews import Reason, Review, Verdict

__all__ = ["CHECKERS", "DAY", "FIGURE", "ReviewSite", "figures_in", "reviewing"]

DAY = 86_400
FIGURE = 7_654_321
"""What each of three trusts answers; in no view but a checker's may it, or three times it, be read."""
CHECKER = Held(Role.OUTPUT_CHECKER)
CHECKERS = {name: SigningKey.generate() for name in ("olive", "oscar", "opal", "olive-two", "ola")}


@dataclass
class ReviewSite:
    """Hands to make things happen on a public site."""

    site: PublicSite

    def __post_init__(self) -> None:
        people = self.site.store.people
        for name in ("olive", "oscar", "opal"):
            assert people.add(name, CHECKERS[name].public.hex(), self.site.now, held=[CHECKER])
        # A second account of the same person, and an output checker of one trust.
        assert people.add("olive-two", CHECKERS["olive-two"].public.hex(), self.site.now, person="olive", held=[])
        trust = Held(Role.OUTPUT_CHECKER, "RX1")
        assert people.add("ola", CHECKERS["ola"].public.hex(), self.site.now, held=[trust])

    @property
    def queries(self) -> QueryService:
        """The service that the application uses."""
        found: QueryService = self.site.app.state.api.queries
        return found

    @property
    def desk(self) -> ReviewDesk:
        """The desk at the site's clock."""
        return ReviewDesk(self.site.base, lambda: self.site.now)

    def call(self, who: str, method: str, path: str, **options: Any) -> httpx.Response:
        """One request of somebody who is signed in; "" for nobody."""
        user = self.site.store.people.find(who) if who else None
        self.site.token = f"token of {who}" if who else ""
        if user is not None:
            sessions, token, now = self.site.store.sessions, token_hash(self.site.token), self.site.now
            sessions.close(token)
            assert sessions.open(token, user.id, now + DAY, now, level=3, auth_time=now)
        try:
            return self.site.call(method, path, **options)
        finally:
            self.site.token = ""

    def submit(self, permit: Permit, release_id: str, sql: str = SQL) -> tuple[httpx.Response, Intent]:
        """Ada asks."""
        model = compile_query(sql, CATALOGUE, epsilon=Decimal("0.1"), as_of=None)
        plan = compile_plan(model, CATALOGUE)
        signed = intent(
            ADA, release_id=release_id, project=permit.project, permit_hash=permit.sha256, query_hash=model.sha256,
            plan_hash=plan.sha256, plan_format=PLAN_FORMAT, catalogue_hash=CATALOGUE.sha256, rho_nano=plan.rho_nano,
            nodes=tuple(sorted(NODES)), min_trusts=2, inputs=(), as_of=model.as_of, not_after=self.site.now + 60,
            opt_out_treatment=permit.opt_out_treatment, disclosure_profile=permit.disclosure_profile,
        )  # fmt: skip
        body = {
            "project": permit.project, "sql": sql, "model": model.payload().decode(), "epsilon": "0.1",
            "intent": signed.sign(ADA).encode().decode(),
        }  # fmt: skip
        return self.call("ada", "POST", "/v1/queries", json=body), signed

    def answer(self, signed: Intent, *nodes: str) -> None:
        """These trusts answer; with the last one the query closes."""
        row = self.site.store.queries.get(signed.release_id)
        assert row is not None
        for node in nodes or tuple(sorted(NODES)):
            vector = struct.pack(f"<{row.vector_length}q", *[FIGURE] * row.vector_length)
            answer = Answer(
                federation="test", release_id=signed.release_id, query_hash=signed.query_hash,
                plan_hash=signed.plan_hash, node=node, data_version=1, policy_hash="", mode="local", status="answer",
                vector_sha256=hashlib.sha256(vector).hexdigest(), vector_length=row.vector_length,
                rho_nano=signed.rho_nano, ledger_seq=3, reasons=(),
            )  # fmt: skip
            message = AnswerMessage(signed.release_id, answer.sign(NODES[node]).encode(), vector)
            assert asyncio.run(self.queries.on_answer(node, message))

    def in_review(self, permit: Permit, release_id: str, sql: str = SQL) -> Intent:
        """A question that every trust has answered, in review."""
        reply, signed = self.submit(permit, release_id, sql)
        assert reply.status_code == 201, reply.text
        self.answer(signed)
        assert self.view(release_id)["state"] == "in-review"
        return signed

    def view(self, release_id: str) -> dict[str, Any]:
        """What Ada sees."""
        found: dict[str, Any] = self.call("ada", "GET", f"/v1/queries/{release_id}").json()
        return found

    def look(self, who: str, release_id: str) -> dict[str, Any]:
        """What a checker sees."""
        reply = self.call(who, "GET", f"/v1/reviews/{release_id}")
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    def digest(self, release_id: str) -> str:
        """The hash of the table that is held."""
        from coordinator.projects.releases import reviewed_digest

        found = self.site.store.reviews.held(release_id)
        assert found is not None
        return reviewed_digest(self.site.base, found[1], found[0].held)

    def review(self, who: str, signed: Intent, *reasons: Reason, **changed: Any) -> Review:
        """A verdict: to return it where there are reasons, a second one where there is something seen."""
        seen = changed.pop("seen", ())
        facts: dict[str, Any] = {
            "federation": "test", "body": "test", "release_id": signed.release_id, "plan_hash": signed.plan_hash,
            "round": 2 if seen else 1, "seen": tuple(sorted(seen)), "reasons": reasons, "given": self.site.now,
            "verdict": Verdict.REFUSE if reasons else Verdict.APPROVE, "reviewer": who,
        }  # fmt: skip
        if "vector_sha256" not in changed:
            facts["vector_sha256"] = self.digest(signed.release_id)
        return Review(**(facts | changed))

    def give(self, account: str, review: Review, key: str = "") -> httpx.Response:
        """Hand in a verdict from an account, signed with its key or another's."""
        envelope = review.sign(CHECKERS[key or account]).encode().decode()
        return self.call(account, "POST", f"/v1/reviews/{review.release_id}/verdict", json={"envelope": envelope})

    def settle(self, signed: Intent, after: int = 0) -> None:
        """Let the clock go to some seconds after the deadline, and the housekeeping pass."""
        review = self.site.store.reviews.get(signed.release_id)
        assert review is not None
        self.site.now = review.deadline + after
        self.desk.settle()


@contextmanager
def reviewing(folder: Path) -> Iterator[ReviewSite]:
    """A review site over a fresh store."""
    store = fresh_store(folder)
    yield ReviewSite(PublicSite(store, folder))
    store.close()


def figures_in(text: str) -> bool:
    """Whether the figure of a trust or of all three can be read in a text, in any writing that is in use."""
    vector = base64.b64encode(struct.pack("<q", FIGURE)).decode()
    return any(item in text for item in (str(FIGURE), str(3 * FIGURE), f"{FIGURE:,}", f"{3 * FIGURE:,}", vector))

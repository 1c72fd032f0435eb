"""One question: compiled and priced without touching data, run once when its result is first needed."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trustquery.catalogue import Catalogue
from trustquery.client.intent_keys import kind_of
from trustquery.client.preview import ask_trusts
from trustquery.errors import TrustQueryError
from trustquery.forecast.explain import Cost, Explanation
from trustquery.identity import Intent, key_id
from trustquery.language.parameters import write_parameters
from trustquery.model import Query as Model
from trustquery.outputs import profile_named
from trustquery.planning import Plan
from trustquery.question.compiled import Question, named
from trustquery.question.preview import TrustPreview, require_enough
from trustquery.question.result import Result, TrustOutcome, read_result, require_shown

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from trustquery.client.project import Project

__all__ = ["Progress", "Query"]

Progress = Callable[[Mapping[str, Any]], None]
"""Called with the coordinator's view of the query whenever it changes."""

DEFAULT_WAIT_SECONDS = 30
_ENDED = ("cancelled", "in-review", "returned")


@dataclass
class Query:
    """A compiled question. ``cost``, ``explain()`` and ``preview()`` spend nothing; ``run()`` does, once."""

    project: Project
    question: Question
    fresh: bool
    _result: Result | None = field(default=None, repr=False)

    @property
    def model(self) -> Model:
        """What it asks, as it is hashed."""
        return self.question.model

    @property
    def plan(self) -> Plan:
        """How it is answered."""
        return self.question.plan

    @property
    def catalogue(self) -> Catalogue:
        """Of the dataset that it asks."""
        return self.question.catalogue

    @property
    def cost(self) -> Cost:
        """Privacy loss of this query; touches no data."""
        return self.question.cost

    def explain(self) -> Explanation:
        """The plan in words, its price and the expected error, from public declarations and profiles alone."""
        return self.question.explain()

    def preview(self) -> tuple[TrustPreview, ...]:
        """Which trusts would accept, why others would not, and what would be left. Free."""
        return ask_trusts(self.project, self.model)

    def run(
        self,
        *,
        wait: int = DEFAULT_WAIT_SECONDS,
        on_progress: Progress | None = None,
        preview: tuple[TrustPreview, ...] | None = None,
    ) -> Result:
        """Ask, and wait for the result. A second call returns the same result.

        Args:
            wait: deadline, seconds; a trust that has not answered by then is missing.
            preview: what ``preview()`` returned just now, to not ask again.

        Raises:
            TrustQueryError: the trusts' refusals when too few would accept (nothing is spent);
                ``query-too-few-trusts``; ``auth-document``; ``query-in-review``: output checkers look at the result
                first; ``client.past.past_result`` fetches it after the deadline.
        """
        if self._result is None:
            found = preview if preview is not None else self.preview()
            self.require_enough(found, wait)
            intent, query_id = self._submit(wait)
            self._result = self._collect(intent, query_id, wait, found, on_progress)
        return self._result

    def require_enough(self, found: tuple[TrustPreview, ...], wait: int | None = None) -> None:
        """Refuse when so many trusts would refuse that there could be no result.

        Raises:
            TrustQueryError: the trusts' own reasons, each with its trust as the place.
        """
        require_enough(found, self.project.permit.min_trusts, wait)

    def _submit(self, wait: int) -> tuple[Intent, str]:
        # Before anything is spent: a result that nobody may show is no result.
        profile_named(self.project.permit.disclosure_profile)
        connection = self.project.connection
        key = connection.key()
        permit, kind = self.project.permit, kind_of(connection.settings.key)
        listed = {member.key_kind for member in permit.members if key_id(bytes.fromhex(member.key)) == key.key_id}
        if listed and kind not in listed:
            raise TrustQueryError("auth-key-kind", listed=", ".join(sorted(listed)), found=kind)
        intent = self.question.intent(
            permit,
            named(self.project.roster),
            release_id=secrets.token_hex(32),
            fresh=self.fresh,
            not_after=int(time.time()) + wait,
            key_id=key.key_id,
            key_kind=kind,
        )
        body = {
            "project": permit.project,
            "sql": self.question.sql,
            "model": self.model.payload().decode("utf-8"),
            "intent": intent.sign(key).encode().decode("ascii"),
            "epsilon": format(self.question.epsilon, "f"),
            "parameters": write_parameters(self.question.parameters),
        }
        return intent, str(connection.http.post("/v1/queries", body)["query"])

    def _collect(
        self, intent: Intent, query_id: str, wait: int, found: tuple[TrustPreview, ...], on_progress: Progress | None
    ) -> Result:
        http = self.project.connection.http
        give_up = time.monotonic() + wait + 30
        view = http.get(f"/v1/queries/{query_id}")
        while view["result"] is None and view["state"] not in _ENDED:
            if time.monotonic() > give_up:
                raise TrustQueryError("query-no-answer", query=query_id[:12])
            if on_progress is not None:
                on_progress(view)
            view = http.get(f"/v1/queries/{query_id}", wait=10, seen=view["answers"])
        if on_progress is not None:
            on_progress(view)
        require_shown(view)
        result = read_result(
            view,
            intent=intent,
            model=self.model,
            plan=self.plan,
            catalogue=self.catalogue,
            roster=self.project.roster,
            cost=self.cost,
            shares={trust.node: trust.left for trust in found},
            public=self.question.public,
        )
        return dataclasses.replace(result, notes=(*result.notes, self.question.cut_off))

    # -- shorthands: each runs the query the first time ----------------------------------------------------------

    def to_arrow(self) -> pyarrow.Table:
        """The result as Arrow."""
        return self.run().to_arrow()

    def to_pandas(self) -> pandas.DataFrame:
        """The result as a data frame."""
        return self.run().to_pandas()

    @property
    def intervals(self) -> dict[str, list[tuple[float | None, float | None]]]:
        """95 % intervals by column, for the noise."""
        return self.run().intervals

    @property
    def intervals_combined(self) -> dict[str, list[tuple[float, float] | None]]:
        """95 % intervals of the columns that are rates, for noise and sampling."""
        return self.run().intervals_combined

    @property
    def trusts(self) -> tuple[TrustOutcome, ...]:
        """Which trusts answered, and why others did not."""
        return self.run().trusts

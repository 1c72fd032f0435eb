"""One question: compiled and priced without touching data, run once when its result is first needed."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trustquery.catalogue import Catalogue
from trustquery.client.intent_keys import kind_of
from trustquery.client.preview import TrustPreview, ask_trusts
from trustquery.client.result import Result, TrustOutcome, by_reason, read_result, require_shown
from trustquery.client.wish import Wish
from trustquery.codelists import PublicTables
from trustquery.errors import TrustQueryError
from trustquery.forecast.accuracy import solve
from trustquery.forecast.choose import Choice, choose_terms, with_total
from trustquery.forecast.explain import Cost, Explanation, cost_of, explain
from trustquery.forecast.profiles import NO_PROFILES, Profiles
from trustquery.identity import Input, Intent, key_id
from trustquery.language import compile_query
from trustquery.language.parameters import Parameters, write_parameters
from trustquery.model import Query as Model
from trustquery.outputs import profile_named
from trustquery.planning import PLAN_FORMAT, Plan, compile_plan
from trustquery.privacy.budget import delta_for

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from trustquery.client.project import Project

__all__ = ["Progress", "Query"]

Progress = Callable[[Mapping[str, Any]], None]
"""Called with the coordinator's view of the query whenever it changes."""

DEFAULT_WAIT_SECONDS = 30
_ENDED = ("cancelled", "in-review", "returned")


def named(project: Project) -> tuple[str, ...]:
    """The trusts that a query of the project asks: all on the roster, by name."""
    return tuple(sorted(node.node for node in project.roster.nodes))


@dataclass
class Query:
    """A compiled question. ``cost``, ``explain()`` and ``preview()`` spend nothing; ``run()`` does, once."""

    project: Project
    sql: str
    model: Model
    plan: Plan
    catalogue: Catalogue
    epsilon: Decimal
    choice: Choice
    fresh: bool
    public: PublicTables
    parameters: Parameters
    _result: Result | None = field(default=None, repr=False)

    @classmethod
    def compile(
        cls,
        project: Project,
        sql: str,
        catalogue: Catalogue,
        wish: Wish,
        *,
        fresh: bool,
        public: PublicTables,
        parameters: Parameters,
        unknown_keys: bool = False,
        profiles: Profiles = NO_PROFILES,
    ) -> Query:
        """Compile text to a model and a plan, and choose its terms, here; nothing is sent.

        Raises:
            TrustQueryError: ``query-…``.
        """
        limits, trusts = wish.limits, named(project)
        base = compile_query(
            sql,
            catalogue,
            epsilon=wish.epsilon if wish.epsilon is not None else Decimal(1),
            max_groups_per_person=limits.groups,
            max_rows_per_group=limits.rows,
            as_of=None,
            public=public,
            parameters=parameters,
            unknown_keys=unknown_keys,
            trusts=trusts,
        )
        if limits.total is not None:
            base = with_total(base, limits.total)

        def choose(model: Model) -> Choice:
            return choose_terms(
                model, catalogue, profiles, trusts=len(trusts), public=public, keep_bounds=limits.given,
                expect=wish.expect,
            )  # fmt: skip

        if wish.epsilon is not None:
            epsilon, choice = wish.epsilon, choose(base)
        else:
            delta = delta_for(catalogue.unit.declared_people)
            epsilon, choice = solve(base, wish.accuracy or 0.0, delta, choose)
        plan = compile_plan(choice.query, catalogue, public)
        return cls(project, sql, choice.query, plan, catalogue, epsilon, choice, fresh, public, parameters)

    def explain(self) -> Explanation:
        """The plan in words, its price and the expected error, from public declarations and profiles alone."""
        chosen = self.choice.chosen
        return explain(self.model, self.plan, self.catalogue, self.choice.forecast, chosen=chosen, public=self.public)

    @property
    def cost(self) -> Cost:
        """Privacy loss of this query; touches no data."""
        return cost_of(self.plan, self.catalogue)

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

        Args:
            wait: deadline, seconds; a trust whose people look for longer than that would refuse too.

        Raises:
            TrustQueryError: the trusts' own reasons, each with its trust as the place.
        """
        needed = self.project.permit.min_trusts
        # A connected trust that gave no reply may still answer in time. One that is not connected may too, but the
        # others would be charged for a hope.
        late = {trust.node for trust in found if wait is not None and trust.review_seconds >= wait}
        accepting = sum(trust.connected and trust.accepted is not False and trust.node not in late for trust in found)
        if accepting < needed:
            given = by_reason(
                (trust.node, trust.reasons) for trust in found if not trust.accepted or trust.node in late
            )
            few = TrustQueryError("query-too-few-accept", accepting=accepting, named=len(found), needed=needed)
            raise TrustQueryError.of([*given, few.problem])

    def _submit(self, wait: int) -> tuple[Intent, str]:
        # Before anything is spent: a result that nobody may show is no result.
        profile_named(self.project.permit.disclosure_profile)
        connection = self.project.connection
        key = connection.key()
        permit, kind = self.project.permit, kind_of(connection.settings.key)
        listed = {member.key_kind for member in permit.members if key_id(bytes.fromhex(member.key)) == key.key_id}
        if listed and kind not in listed:
            raise TrustQueryError("auth-key-kind", listed=", ".join(sorted(listed)), found=kind)
        intent = Intent(
            federation=permit.federation,
            release_id=secrets.token_hex(32),
            project=permit.project,
            permit_hash=permit.sha256,
            query_hash=self.model.sha256,
            plan_hash=self.plan.sha256,
            plan_format=PLAN_FORMAT,
            catalogue_hash=self.catalogue.sha256,
            inputs=tuple(Input(id=pin.id, version=pin.version, sha256=pin.sha256) for pin in self.model.inputs),
            rho_nano=self.plan.rho_nano,
            delta_atto=self.model.delta_atto,
            mode="local",
            nodes=named(self.project),
            min_trusts=permit.min_trusts,
            reuse="fresh" if self.fresh else "stored",
            opt_out_treatment=permit.opt_out_treatment,
            disclosure_profile=permit.disclosure_profile,
            as_of=self.model.as_of,
            not_after=int(time.time()) + wait,
            key_id=key.key_id,
            key_kind=kind,
        )
        body = {
            "project": permit.project,
            "sql": self.sql,
            "model": self.model.payload().decode("utf-8"),
            "intent": intent.sign(key).encode().decode("ascii"),
            "epsilon": format(self.epsilon, "f"),
            "parameters": write_parameters(self.parameters),
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
            public=self.public,
        )
        return dataclasses.replace(result, notes=(*result.notes, self._cut_off()))

    def _cut_off(self) -> str:
        """What bounds are expected to have left out, which no interval covers."""
        told = [output for output in self.choice.forecast.outputs if output.cut_off is not None]
        if not told:
            return "What contribution bounds cut off is not known: no profile tells. It is not in the intervals."
        worst = max(output.cut_off or 0.0 for output in told)
        return (
            f"Contribution bounds are expected to cut off up to {worst:.2%} of a figure; that is not in the intervals."
        )

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

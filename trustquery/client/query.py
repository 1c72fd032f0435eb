"""One question: compiled and priced without touching data, run once when its result is first needed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trustquery.catalogue import Catalogue
from trustquery.client.inputs import brought
from trustquery.client.preview import TrustPreview, ask_trusts
from trustquery.client.result import Cost, Result, TrustOutcome, by_reason, read_result
from trustquery.codelists import PublicTables
from trustquery.errors import TrustQueryError
from trustquery.identity import Input, Intent, SigningKey
from trustquery.language import compile_query
from trustquery.language.parameters import Parameters, write_parameters
from trustquery.model import Query as Model
from trustquery.planning import PLAN_FORMAT, Explanation, Plan, compile_plan, explain

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from trustquery.client.project import Project

__all__ = ["Progress", "Query", "cost_of"]

Progress = Callable[[Mapping[str, Any]], None]
"""Called with the coordinator's view of the query whenever it changes."""

DEFAULT_WAIT_SECONDS = 30


def cost_of(model: Model, plan: Plan, catalogue: Catalogue) -> Cost:
    """Privacy loss of a compiled query."""
    found = explain(model, plan, catalogue, 1)
    return Cost(found.rho_nano, found.epsilon, found.epsilon_federation, found.delta, found.max_trusts, plan.delta_atto)


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
    groups: int | None
    rows: int | None
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
        epsilon: Decimal,
        *,
        groups: int | None,
        rows: int | None,
        fresh: bool,
        public: PublicTables,
        parameters: Parameters,
        unknown_keys: bool = False,
    ) -> Query:
        """Compile text to a model and a plan, here; nothing is sent.

        Raises:
            TrustQueryError: ``query-…``.
        """
        model = compile_query(
            sql,
            catalogue,
            epsilon=epsilon,
            max_groups_per_person=groups,
            max_rows_per_group=rows,
            as_of=None,
            public=public,
            parameters=parameters,
            unknown_keys=unknown_keys,
            trusts=named(project),
        )
        plan = compile_plan(model, catalogue, public)
        return cls(project, sql, model, plan, catalogue, epsilon, groups, rows, fresh, public, parameters)

    def explain(self) -> Explanation:
        """The plan in words and the expected error, from public declarations alone."""
        return explain(self.model, self.plan, self.catalogue, len(self.project.roster.nodes), self.public)

    @property
    def cost(self) -> Cost:
        """Privacy loss of this query; touches no data."""
        return cost_of(self.model, self.plan, self.catalogue)

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
                ``query-too-few-trusts``; ``auth-document``.
        """
        if self._result is None:
            found = preview if preview is not None else self.preview()
            self.require_enough(found)
            intent, query_id = self._submit(wait)
            self._result = self._collect(intent, query_id, wait, found, on_progress)
        return self._result

    def require_enough(self, found: tuple[TrustPreview, ...]) -> None:
        """Refuse when so many trusts would refuse that there could be no result.

        Raises:
            TrustQueryError: the trusts' own reasons, each with its trust as the place.
        """
        needed = self.project.permit.min_trusts
        # A connected trust that gave no reply may still answer in time. One that is not connected may too, but the
        # others would be charged for a hope.
        accepting = sum(trust.connected and trust.accepted is not False for trust in found)
        if accepting < needed:
            given = by_reason((trust.node, trust.reasons) for trust in found)
            few = TrustQueryError("query-too-few-accept", accepting=accepting, named=len(found), needed=needed)
            raise TrustQueryError.of([*given, few.problem])

    def _submit(self, wait: int) -> tuple[Intent, str]:
        connection = self.project.connection
        key = SigningKey.load(connection.home.key_path(connection.settings))
        permit = self.project.permit
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
            key_kind="file",
        )
        body = {
            "project": permit.project,
            "sql": self.sql,
            "model": self.model.payload().decode("utf-8"),
            "intent": intent.sign(key).encode().decode("ascii"),
            "epsilon": format(self.epsilon, "f"),
            "max_groups_per_person": self.groups,
            "max_rows_per_group": self.rows,
            "parameters": write_parameters(self.parameters),
            "inputs": [table.document() for table in brought(self.model, self.public)],
        }
        return intent, str(connection.http.post("/v1/queries", body)["query"])

    def _collect(
        self, intent: Intent, query_id: str, wait: int, found: tuple[TrustPreview, ...], on_progress: Progress | None
    ) -> Result:
        http = self.project.connection.http
        give_up = time.monotonic() + wait + 30
        view = http.get(f"/v1/queries/{query_id}")
        while view["result"] is None and view["state"] != "cancelled":
            if time.monotonic() > give_up:
                raise TrustQueryError("query-no-answer", query=query_id[:12])
            if on_progress is not None:
                on_progress(view)
            view = http.get(f"/v1/queries/{query_id}", wait=10, seen=view["answers"])
        if view["result"] is None:
            raise TrustQueryError("query-no-answer", query=query_id[:12])
        if on_progress is not None:
            on_progress(view)
        return read_result(
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

"""One question: its text, what it compiles to, the terms chosen for it, its price, and what its asker signs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trustquery.catalogue import Catalogue
from trustquery.codelists import PublicTables
from trustquery.forecast.accuracy import solve
from trustquery.forecast.choose import Choice, choose_terms, with_total
from trustquery.forecast.explain import Cost, Explanation, cost_of, explain
from trustquery.forecast.profiles import NO_PROFILES, Profiles
from trustquery.identity import Input, Intent, Permit, Roster
from trustquery.identity.documents import KeyKind
from trustquery.language import compile_query
from trustquery.language.parameters import Parameters
from trustquery.model import Query as Model
from trustquery.planning import PLAN_FORMAT, Plan, compile_plan
from trustquery.privacy.budget import delta_for
from trustquery.question.wish import Wish

__all__ = ["Question", "named"]


def named(roster: Roster) -> tuple[str, ...]:
    """The trusts that a question asks: all on the roster, by name."""
    return tuple(sorted(node.node for node in roster.nodes))


@dataclass(frozen=True)
class Question:
    """A compiled question. Nothing of it touches data or spends anything.

    Attributes:
        epsilon: privacy loss to spend at most at each trust.
        choice: the terms, and what they are expected to give.
        public: the tables that it may pin.
    """

    sql: str
    model: Model
    plan: Plan
    catalogue: Catalogue
    epsilon: Decimal
    choice: Choice
    public: PublicTables
    parameters: Parameters

    @classmethod
    def compile(
        cls,
        sql: str,
        catalogue: Catalogue,
        wish: Wish,
        *,
        trusts: tuple[str, ...],
        public: PublicTables,
        parameters: Parameters,
        unknown_keys: bool = False,
        profiles: Profiles = NO_PROFILES,
    ) -> Question:
        """Compile text to a model and a plan, and choose its terms, here; nothing is sent.

        Args:
            trusts: that it asks.
            profiles: what is known of how many rows people have.

        Raises:
            TrustQueryError: ``query-…``, with the place in the text.
        """
        limits = wish.limits
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
        return cls(sql, choice.query, plan, catalogue, epsilon, choice, public, parameters)

    def explain(self) -> Explanation:
        """The plan in words, its price and the expected error, from public declarations and profiles alone."""
        chosen = self.choice.chosen
        return explain(self.model, self.plan, self.catalogue, self.choice.forecast, chosen=chosen, public=self.public)

    @property
    def cost(self) -> Cost:
        """Privacy loss of this question; touches no data."""
        return cost_of(self.plan, self.catalogue)

    @property
    def cut_off(self) -> str:
        """What bounds are expected to leave out, which no interval covers, in words."""
        told = [output for output in self.choice.forecast.outputs if output.cut_off is not None]
        if not told:
            return "What contribution bounds cut off is not known: no profile tells. It is not in the intervals."
        worst = max(output.cut_off or 0.0 for output in told)
        return (
            f"Contribution bounds are expected to cut off up to {worst:.2%} of a figure; that is not in the intervals."
        )

    def intent(
        self,
        permit: Permit,
        trusts: tuple[str, ...],
        *,
        release_id: str,
        fresh: bool,
        not_after: int,
        key_id: str,
        key_kind: KeyKind,
    ) -> Intent:
        """What its asker signs.

        Args:
            trusts: that are asked.
            release_id: 32 random bytes in hexadecimal; the question is charged once under it, whatever happens.
            fresh: draw and charge again, even if it was asked before.
            not_after: its deadline, seconds since 1970 UTC.
            key_id: of the key that signs, which lives in a ``key_kind``.
        """
        return Intent(
            federation=permit.federation,
            release_id=release_id,
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
            nodes=trusts,
            min_trusts=permit.min_trusts,
            reuse="fresh" if fresh else "stored",
            opt_out_treatment=permit.opt_out_treatment,
            disclosure_profile=permit.disclosure_profile,
            as_of=self.model.as_of,
            not_after=not_after,
            key_id=key_id,
            key_kind=key_kind,
        )

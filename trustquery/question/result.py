"""A result: the table, who answered, what it cost, what is left, and what to know before believing it."""

from __future__ import annotations

import base64
import contextlib
import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trustquery.errors import Problem, TrustQueryError
from trustquery.forecast.explain import Cost
from trustquery.identity import Answer, Intent, Roster
from trustquery.model import Query as Model
from trustquery.outputs import NOT_PROTECTION, Estimate, Table, own_cells, read, read_keys, trust_axis
from trustquery.outputs.criteria import Criteria, criteria_of
from trustquery.outputs.wanted import Wanted, wanted
from trustquery.protocol.answers import add_vectors, check_answer, check_vector, has_rollback_protection, read_vector
from trustquery.protocol.heads import cosigned_by, note_of
from trustquery.protocol.pairs import add_pairs
from trustquery.reviews import EXPLAINED, Reason
from trustquery.reviews.shown import REVIEWED_BY

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from trustquery.catalogue import Catalogue
    from trustquery.codelists import PublicTables
    from trustquery.planning import Plan

__all__ = ["Result", "TrustOutcome", "by_reason", "moment", "read_result", "require_shown"]

Merged = list[int] | dict[str, tuple[int, int]]
"""Integers in the plan's order; or, where keys are found in the data, sum and number of trusts by label."""


@dataclass(frozen=True)
class TrustOutcome:
    """One trust named by the query. ``answered`` false: missing, never zero, for the ``reasons`` given."""

    node: str
    name: str
    answered: bool
    rho_nano: int
    reasons: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Result:
    """What came back.

    Attributes:
        notes: sentences that belong to every figure here.
        shares: what is left of each budget scope, as the trusts showed it before the query: node to scope to share.
        criteria: the record of what the release was disclosed under, bound to it by the hashes of what was signed.
        disclosure: the profile that the table is shown under, and who asked for it.
        merge_checked: whether the sum was repeated here from the vectors that the trusts signed.
    """

    query_id: str
    table: Table
    trusts: tuple[TrustOutcome, ...]
    cost: Cost
    notes: tuple[str, ...]
    shares: Mapping[str, Mapping[str, float]]
    merge_checked: bool
    criteria: Criteria | None = None
    disclosure: Wanted = field(default_factory=lambda: wanted("none", ()))

    @property
    def answered(self) -> int:
        """How many trusts answered."""
        return sum(trust.answered for trust in self.trusts)

    def to_arrow(self) -> pyarrow.Table:
        """Keys and estimates as Arrow, with ``_low`` and ``_high`` columns for the 95 % interval, and for rates
        ``_low_combined`` and ``_high_combined``."""
        return self.table.to_arrow()

    def to_pandas(self) -> pandas.DataFrame:
        """The same as a data frame."""
        found: pandas.DataFrame = self.to_arrow().to_pandas()
        return found

    @property
    def intervals(self) -> dict[str, list[tuple[float | None, float | None]]]:
        """95 % intervals by column, in row order; they cover the noise only."""
        found: dict[str, list[tuple[float | None, float | None]]] = {}
        for place, column in enumerate(self.table.columns):
            if column.kind == "estimate":
                cells = [row[place] for row in self.table.rows]
                found[column.name] = [(cell.low, cell.high) for cell in cells if isinstance(cell, Estimate)]
        return found

    @property
    def intervals_combined(self) -> dict[str, list[tuple[float, float] | None]]:
        """95 % intervals for noise and sampling, by column that is a rate, in row order; None where there is none."""
        return {
            column.name: [cell.combined for row in self.table.rows if isinstance(cell := row[place], Estimate)]
            for place, column in enumerate(self.table.columns)
            if column.rate
        }


def moment(seconds: int) -> str:
    """A time as people write it, UTC: 6 August 2018 14:05."""
    when = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{when.day} {when:%B %Y %H:%M}"


def require_shown(view: Mapping[str, Any]) -> None:
    """Refuse where there is no result to show: it is in review, was returned or erased, or no trust answered.

    Raises:
        TrustQueryError: ``query-in-review``, ``query-returned``, ``query-result-erased``, ``query-no-answer``.
    """
    query, review = str(view["query"])[:12], view.get("review") or {}
    if view["state"] == "in-review":
        raise TrustQueryError("query-in-review", query=query, until=moment(int(review["until"])))
    if view["state"] == "returned":
        known = [reason for reason in Reason if reason.value in review.get("reasons", ())]
        why = "; ".join(f"{reason.value}: {EXPLAINED[reason]}" for reason in known)
        raise TrustQueryError("query-returned", query=query, why=why or "they gave no two approvals by its deadline")
    if view["result"] is None and view.get("erased_on"):
        asked = Model.from_payload(str(view["model"]).encode()).sha256
        raise TrustQueryError("query-result-erased", query=query, date=str(view["erased_on"])[:10], hash=asked[:12])
    if view["result"] is None:
        raise TrustQueryError("query-no-answer", query=query)


def read_result(
    view: Mapping[str, Any],
    *,
    intent: Intent,
    model: Model,
    plan: Plan,
    catalogue: Catalogue,
    roster: Roster,
    cost: Cost,
    shares: Mapping[str, Mapping[str, float]],
    public: PublicTables | None = None,
) -> Result:
    """Verify every signed answer in a closed query and read its table.

    Args:
        public: tables that an outer SELECT joins; those that ship when None.

    Raises:
        TrustQueryError: ``auth-document``: the coordinator's result is not what the trusts signed;
            ``policy-profile-unknown``: nothing may be shown;
            ``query-too-few-trusts`` or the trusts' own refusals when there is no result.
    """
    result = view["result"]
    answers = [_read_answer(item, intent, plan, roster) for item in result["trusts"]]
    outcomes = [_answered(answer, roster) for answer in answers]
    outcomes += [_missing(item, intent, plan, roster) for item in result["missing"]]
    names = [outcome.node for outcome in outcomes]
    if sorted(names) != list(intent.nodes):
        raise TrustQueryError("auth-document", document="result", problem="it lists other trusts than were asked")
    trusts = tuple(sorted(outcomes, key=lambda outcome: outcome.node))
    answered = sum(trust.answered for trust in trusts)
    if result["vector"] is None or answered < intent.min_trusts:
        raise _no_result(intent, trusts)
    # It is told beside the result; the record of the criteria says so, and publishing repeats it.
    reviewed_by = REVIEWED_BY if view.get("review") else ()
    shown = wanted(intent.disclosure_profile, answers)
    merged: Merged
    here = {trust.node for trust in trusts if trust.answered}
    if plan.has_unknown_keys:
        merged = {str(label): (int(total), int(count)) for label, total, count in result["vector"]}
        if any(not 1 <= count <= answered for _, count in merged.values()):
            raise TrustQueryError("auth-document", document="result", problem="it counts other trusts than answered")
        table = read_keys(model, plan, merged, public, profile=shown.profile)
    else:
        merged = [int(number) for number in result["vector"]]
        table = read(model, plan, merged, answered, catalogue, public, here, profile=shown.profile)
    checked = _merge_again(result["trusts"], intent, plan, roster, merged)
    if checked and trust_axis(plan) is not None:
        vectors = {str(item["node"]): read_vector(base64.b64decode(item["vector"])) for item in result["trusts"]}
        table = read(model, plan, own_cells(plan, vectors), 1, catalogue, public, here, profile=shown.profile)
    notes = _notes(answers, _rollback(result["trusts"], answers, roster), checked, plan, table, shown)
    if reviewed_by:
        notes = (*notes, "Two output checkers approved the merged table before it was shown.")
    criteria = criteria_of(intent, answers, plan, reviewed_by)
    return Result(str(view["query"]), table, trusts, cost, notes, shares, checked, criteria, shown)


def _merge_again(items: Sequence[Any], intent: Intent, plan: Plan, roster: Roster, merged: Merged) -> bool:
    """Repeat the sum from the vectors that the trusts signed; False when the coordinator does not show them all."""
    vectors = []
    for item in items:
        if item.get("vector") is None:
            return False
        vector = base64.b64decode(item["vector"], validate=True)
        check_vector(_read_answer(item, intent, plan, roster), vector, keyed=plan.has_unknown_keys)
        vectors.append(vector)
    again: Merged = add_pairs(vectors) if plan.has_unknown_keys else add_vectors(vectors, plan.length)
    if again != merged:
        raise TrustQueryError("auth-document", document="result", problem="it is not the sum of what the trusts signed")
    return True


def _read_answer(item: Mapping[str, Any], intent: Intent, plan: Plan, roster: Roster) -> Answer:
    entry = roster.node(str(item["node"]))
    if entry is None:
        raise TrustQueryError("auth-document", document="answer", problem="its trust is not on the roster")
    return check_answer(str(item["envelope"]).encode(), node=entry, intent=intent, vector_length=plan.length)


def _name(node: str, roster: Roster) -> str:
    entry = roster.node(node)
    return entry.name if entry is not None else node


def _answered(answer: Answer, roster: Roster) -> TrustOutcome:
    if answer.status != "answer":
        raise TrustQueryError("auth-document", document="result", problem="it counts a trust that gave no answer")
    return TrustOutcome(answer.node, _name(answer.node, roster), True, answer.rho_nano)


def _missing(item: Mapping[str, Any], intent: Intent, plan: Plan, roster: Roster) -> TrustOutcome:
    """A trust that is not in the sum, with the reason and the charge that it signed, if it signed any."""
    node = str(item["node"])
    silence = (Problem("node-no-answer"),)
    if item.get("envelope") is None:
        return TrustOutcome(node, _name(node, roster), False, 0, silence)
    answer = _read_answer(item, intent, plan, roster)
    reasons = tuple(Problem.from_document(reason) for reason in answer.reasons)
    return TrustOutcome(node, _name(node, roster), False, answer.rho_nano, reasons or silence)


def by_reason(found: Iterable[tuple[str, Sequence[Problem]]]) -> list[Problem]:
    """The trusts' reasons, each once, with the names of the trusts that gave it as its place."""
    places: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = {}
    for node, reasons in found:
        for reason in reasons:
            places.setdefault((reason.code, tuple(sorted(reason.fields.items()))), []).append(node)
    return [Problem(code, ", ".join(nodes), dict(fields)) for (code, fields), nodes in places.items()]


def _no_result(intent: Intent, trusts: tuple[TrustOutcome, ...]) -> TrustQueryError:
    """The trusts' own reasons where they gave any: their code decides the exit status."""
    given = [
        problem
        for problem in by_reason((trust.node, trust.reasons) for trust in trusts)
        if problem.code != "node-no-answer"
    ]
    answered = sum(trust.answered for trust in trusts)
    few = TrustQueryError("query-too-few-trusts", answered=answered, named=len(trusts), needed=intent.min_trusts)
    return TrustQueryError.of([*given, few.problem])


def _rollback(items: Sequence[Any], answers: Sequence[Answer], roster: Roster) -> str:
    """Who cosigned the ledgers behind these answers; a head that does not verify counts as none."""
    found, unprotected = {}, []
    for item, answer in zip(items, answers, strict=True):
        names: frozenset[str] = frozenset()
        if has_rollback_protection(answer):
            with contextlib.suppress(TrustQueryError):
                names = cosigned_by(str(item.get("head", "")).encode(), answer, roster)
        if names:
            found[answer.node] = names
        else:
            unprotected.append(answer.node)
    return note_of(found, unprotected)


def _notes(
    answers: Sequence[Answer], rollback: str, checked: bool, plan: Plan, table: Table, shown: Wanted
) -> tuple[str, ...]:
    notes = ["Intervals are 95 % and cover the noise only."]
    if any(column.rate for column in table.columns):
        notes.append("Rates have a second interval, which covers noise and sampling together.")
    if table.profile.withholds:
        notes += [table.profile.sentence(), shown.sentence(), NOT_PROTECTION]
        if table.profile.rounding > 1:
            notes.append("Intervals of what was rounded have room for the rounding besides.")
    if plan.has_unknown_keys:
        notes.append("Keys were found in the data: each sum is of the trusts that released it; rare keys are absent.")
    notes.append(rollback)
    if checked:
        notes.append("Checked here: each trust's signature, and that the result is the sum of what they signed.")
    else:
        notes.append("Each trust's signature was checked here; the sum itself was not independently checked.")
    return tuple(notes)

"""The past under another policy: every recorded decision taken again, every recorded charge held against its caps.

It reads what the node kept of its decisions, which is what the policy saw: text, documents and times, never data. So it
can say what a change would have refused, before anybody signs it, and it costs no privacy.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from node_agent.budget.decisions import Charged, Decided
from node_agent.budget.port import WINDOW_DAYS, Limits, ScopeName
from node_agent.gate.reserve import policy_limits
from trustquery.errors import TrustQueryError
from trustquery.policy import Policy, PolicyRequest, evaluate

__all__ = ["Checked", "Exhausted", "Replayed", "check", "replay", "replay_budget", "request_of"]


def request_of(decided: Decided) -> PolicyRequest:
    """What the policy saw.

    Raises:
        TrustQueryError: ``policy-request-…``: it is not as it was written.
    """
    try:
        data = json.loads(decided.input)
    except ValueError as error:
        raise TrustQueryError("policy-request-invalid", problem="a recorded input is not JSON") from error
    return PolicyRequest.from_document(data)


@dataclass
class Replayed:
    """What another policy would have made of the past.

    Attributes:
        total: recorded decisions replayed; ``allowed`` of them were allowed at the time.
        now_refused: allowed then, refused now; ``by_rule`` and ``by_project`` count these, a query once for each rule.
        now_allowed: refused then, allowed now, by project.
        unreadable: records that this version cannot read; they count as refused.
        refused_ids: release ids of everything that would be refused now.
    """

    total: int = 0
    allowed: int = 0
    now_refused: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    by_project: Counter[str] = field(default_factory=Counter)
    now_allowed: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    refused_ids: set[str] = field(default_factory=set)

    def document(self) -> dict[str, Any]:
        """The counts as JSON data."""
        return {
            "total": self.total,
            "allowed_then": self.allowed,
            "now_refused": self.now_refused,
            "now_refused_by_rule": dict(sorted(self.by_rule.items())),
            "now_refused_by_project": dict(sorted(self.by_project.items())),
            "now_allowed": self.now_allowed.total(),
            "now_allowed_by_project": dict(sorted(self.now_allowed.items())),
            "unreadable": self.unreadable,
        }


def replay(new: Policy, past: Iterable[Decided]) -> Replayed:
    """Take every recorded decision again, under another policy."""
    found = Replayed()
    for decided in past:
        found.total += 1
        found.allowed += decided.allowed
        try:
            request = request_of(decided)
        except TrustQueryError:
            found.unreadable += 1
            found.refused_ids.add(decided.release_id)
            continue
        decision = evaluate(new, request)
        if not decision.allowed:
            found.refused_ids.add(decided.release_id)
        if decided.allowed and not decision.allowed:
            found.now_refused += 1
            found.by_rule.update(set(decision.rules))
            found.by_project[request.project] += 1
        elif decision.allowed and not decided.allowed:
            found.now_allowed[request.project] += 1
    return found


@dataclass(frozen=True)
class Checked:
    """Whether past decisions are what the policies of their time decide."""

    total: int
    equal: int
    different: tuple[str, ...]
    without_policy: int

    def document(self) -> dict[str, Any]:
        """The counts as JSON data; ``different`` are release ids."""
        return {
            "total": self.total,
            "equal": self.equal,
            "different": list(self.different),
            "without_policy": self.without_policy,
        }


def check(past: Iterable[Decided], policy_of: Callable[[str], Policy | None]) -> Checked:
    """Take every recorded decision again, under the policy of its time.

    Args:
        policy_of: hash to the kept policy; None where none can be read.
    """
    total = equal = missing = 0
    different: list[str] = []
    for decided in past:
        total += 1
        policy = policy_of(decided.policy_hash)
        if policy is None:
            missing += 1
            continue
        try:
            decision = evaluate(policy, request_of(decided))
        except TrustQueryError:
            different.append(decided.release_id)
            continue
        if (decision.allowed, decision.rules) == (decided.allowed, decided.rules):
            equal += 1
        else:
            different.append(decided.release_id)
    return Checked(total, equal, tuple(different), missing)


@dataclass(frozen=True)
class Exhausted:
    """A scope that could not have paid for a release: when that was first so, and for how many releases."""

    scope: ScopeName
    subject: str
    first_day: int
    releases: int


@dataclass
class _Spent:
    """What one subject has spent under the replayed policy."""

    rho: int = 0
    delta: int = 0
    rho_window: int = 0
    delta_window: int = 0
    days: deque[tuple[int, int, int]] = field(default_factory=deque)

    def pays(self, charge: Charged, limits: Limits, window_days: int) -> bool:
        while self.days and self.days[0][0] <= charge.day - window_days:
            _, rho, delta = self.days.popleft()
            self.rho_window -= rho
            self.delta_window -= delta
        sums = (
            (self.rho + charge.rho_nano, limits.rho_lifetime),
            (self.delta + charge.delta_atto, limits.delta_lifetime),
            (self.rho_window + charge.rho_nano, limits.rho_window),
            (self.delta_window + charge.delta_atto, limits.delta_window),
        )
        return all(cap is None or total <= cap for total, cap in sums)

    def take(self, charge: Charged) -> None:
        self.rho += charge.rho_nano
        self.delta += charge.delta_atto
        self.rho_window += charge.rho_nano
        self.delta_window += charge.delta_atto
        self.days.append((charge.day, charge.rho_nano, charge.delta_atto))


_NOTHING = Limits(0, 0)


def replay_budget(new: Policy, charges: Iterable[Charged], refused: Iterable[str] = ()) -> tuple[Exhausted, ...]:
    """Hold the recorded charges, in the order in which they were made, against another policy's caps.

    A release that the policy would refuse, or that a scope cannot pay for, charges nothing: it would not have been.

    Args:
        refused: release ids that the rules would refuse.

    Returns:
        Every scope that would have run out, in the order in which they would.
    """
    gone = frozenset(refused)
    releases: Mapping[str, list[Charged]] = defaultdict(list)
    for charge in charges:
        releases[charge.release_id].append(charge)
    spent: dict[tuple[str, str], _Spent] = defaultdict(_Spent)
    found: dict[tuple[str, str], list[int]] = {}
    for release_id, parts in releases.items():
        if release_id in gone:
            continue
        short = []
        for part in parts:
            scope = cast(ScopeName, part.scope)
            limits = policy_limits(new, scope, part.subject) or _NOTHING
            if not spent[part.scope, part.subject].pays(part, limits, WINDOW_DAYS[scope]):
                short.append(part)
        for part in short:
            found.setdefault((part.scope, part.subject), [part.day, 0])[1] += 1
        if not short:
            for part in parts:
                spent[part.scope, part.subject].take(part)
    return tuple(
        Exhausted(cast(ScopeName, scope), subject, day, count) for (scope, subject), (day, count) in found.items()
    )

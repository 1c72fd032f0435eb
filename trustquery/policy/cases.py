"""Cases: what a policy must decide, written beside it and run before it is signed.

A file of cases names a policy, a base request, and cases. Each case says what it changes, and what must be decided.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from trustquery.errors import TrustQueryError
from trustquery.policy.evaluate import Decision, evaluate
from trustquery.policy.meaning import Part
from trustquery.policy.reading import parse_toml, read_model
from trustquery.policy.request import PolicyRequest
from trustquery.policy.schema import Policy

__all__ = ["Case", "Cases", "Outcome", "Ready", "prepare", "run"]

Words = Annotated[str, Field(min_length=1, max_length=500)]


class Expected(Part):
    """What must be decided.

    Attributes:
        allowed: whether the query is allowed.
        rules: the ids of every rule that objects, in any order; empty where it is allowed.
        change: words that what would change the refusal must hold; "" for any.
    """

    allowed: bool
    rules: tuple[str, ...] = ()
    change: str = ""


class Case(Part):
    """One case.

    Attributes:
        name: what it shows, as a sentence.
        request: fields of the request that differ from the base.
        policy: keys of the policy that differ, by place: ``"queries.max_rho" = 0.1``, ``"dataset[1].id" = "other"``.
    """

    name: Words
    request: Annotated[dict[str, Any], Field(default_factory=dict)]
    policy: Annotated[dict[str, Any], Field(default_factory=dict)]
    expect: Expected


class Cases(Part):
    """A file of cases.

    Attributes:
        policy: path of the policy, from the file's folder.
        base: a whole request.
    """

    policy: Words
    base: dict[str, Any]
    case: Annotated[tuple[Case, ...], Field(min_length=1)]

    @classmethod
    def from_toml(cls, text: str, *, name: str) -> Cases:
        """Read a file of cases.

        Raises:
            TrustQueryError: ``policy-case-invalid``, ``policy-case-unknown-key``.
        """
        data = parse_toml(text, invalid="policy-case-invalid", name=name)
        return read_model(cls, data, unknown="policy-case-unknown-key", invalid="policy-case-invalid")


@dataclass(frozen=True)
class Ready:
    """A case with its policy and request, read and whole."""

    case: Case
    policy: Policy
    request: PolicyRequest


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes:
        differs: what was not as expected, a sentence each; empty where the case passes.
    """

    case: Case
    differs: tuple[str, ...]


def prepare(cases: Cases, policy_text: str, *, name: str) -> tuple[Ready, ...]:
    """Read the policy and the request of every case.

    Raises:
        TrustQueryError: of the policy or request; the place begins with the case's name.
    """
    data = parse_toml(policy_text, invalid="policy-invalid", name=name)
    return tuple(_ready(case, cases.base, data) for case in cases.case)


def _ready(case: Case, base: dict[str, Any], data: dict[str, Any]) -> Ready:
    changed = copy.deepcopy(data)
    for place, value in case.policy.items():
        _put(changed, place, value, case.name)
    try:
        policy = read_model(Policy, changed, unknown="policy-unknown-key", invalid="policy-invalid")
        # Sets may stand in any order in a file that people write.
        asked = {
            field: sorted(value) if isinstance(value, list) else value
            for field, value in {**base, **case.request}.items()
        }
        return Ready(case, policy, PolicyRequest.from_document(asked))
    except TrustQueryError as error:
        problems = [
            type(item)(item.code, f"case {case.name}: {item.place}"[:200], item.fields) for item in error.problems
        ]
        raise TrustQueryError.of(problems) from error


def _put(data: Any, place: str, value: Any, case: str) -> None:
    """Put a value at a place such as ``dataset[1].id``; the parts above it must be there."""
    *above, last = place.replace("[", ".[").split(".")
    try:
        for step in above:
            data = data[int(step[1:-1]) - 1] if step.startswith("[") else data[step]
        data[int(last[1:-1]) - 1 if last.startswith("[") else last] = value
    except (KeyError, IndexError, ValueError, TypeError) as error:
        where = f"case {case}"[:100]
        raise TrustQueryError("policy-case-invalid", where, problem=f"the policy has no place {place[:100]}") from error


def run(ready: Ready, decide: Callable[[Policy, PolicyRequest], Decision] = evaluate) -> Outcome:
    """Decide one case and say what differs from what it expects."""
    decision, expected = decide(ready.policy, ready.request), ready.case.expect
    differs = []
    if decision.allowed is not expected.allowed:
        words = {True: "allowed", False: "refused"}
        differs.append(f"expected {words[expected.allowed]}, was {words[decision.allowed]}")
    if sorted(decision.rules) != sorted(expected.rules):
        wanted, found = ", ".join(sorted(expected.rules)) or "none", ", ".join(sorted(decision.rules)) or "none"
        differs.append(f"expected rules that object: {wanted}; found: {found}")
    changes = [reason.fix for reason in decision.reasons]
    if expected.change and not any(expected.change in change for change in changes):
        said = "; ".join(changes) or "nothing"
        differs.append(f'expected what would change it to say "{expected.change}"; it says: {said}')
    return Outcome(ready.case, tuple(differs))

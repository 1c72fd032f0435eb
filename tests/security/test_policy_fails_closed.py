"""A policy or request that is absent, empty, of another type, unknown or failing refuses, at every key of the schema.

The walk is by reflection: a key that is added tomorrow is tried tomorrow.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from tests.policies.mutants import ready_cases
from trustquery.errors import Problem, TrustQueryError
from trustquery.identity import canonical
from trustquery.policy import RULES, Policy, PolicyRequest, cases, evaluate
from trustquery.policy.difference import compare
from trustquery.policy.meaning import Tighter, every_field, means_of
from trustquery.policy.rendering import render
from trustquery.policy.rules import ELSEWHERE

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = Policy.from_toml((ROOT / "policies/examples/standard-acute-trust.toml").read_text(encoding="utf-8"))
SDE = Policy.from_toml((ROOT / "policies/examples/research-sde.toml").read_text(encoding="utf-8"))
ALLOWED = [ready for ready in ready_cases() if ready.case.expect.allowed]
OPTIONAL = {
    "opt_outs", "profiles", "witnesses", "queries.browser_max_rho", "queries.disclosure_floor", "review.minutes",
    "deny",
    *(f"deny.{name}" for name in type(SAMPLE.deny).model_fields),
}  # fmt: skip
"""Keys that may be left out: each is then at its tightest, or refuses nothing that is listed elsewhere."""
WRONG: tuple[Any, ...] = (None, "", 0, -1, 1.5, True, [], {}, "yes", ["x", 1], {"x": 1})


def places(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of JSON data that is a key of a table."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, value in items:
        if isinstance(data, dict):
            yield (*place, step)
        yield from places(value, (*place, step))


def changed(data: Any, place: tuple[Any, ...], value: Any = ..., *, drop: bool = False) -> Any:
    found = copy.deepcopy(data)
    inner = found
    for step in place[:-1]:
        inner = inner[step]
    if drop:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return found


def key_of(place: tuple[Any, ...]) -> str:
    return ".".join(str(step) for step in place if not isinstance(step, int))


def payload(policy: Policy) -> Any:
    return json.loads(policy.payload())


def at(policy: BaseModel, place: tuple[Any, ...]) -> Any:
    found: Any = policy
    for step in place:
        found = found[step] if isinstance(step, int) else getattr(found, step)
    return found


EVERY = [(policy, place) for policy in (SAMPLE, SDE) for place in places(payload(policy))]


def test_the_walk_meets_every_key_of_the_schema() -> None:
    assert {key_of(place) for _, place in EVERY} == {place for place, _, _ in every_field(Policy)}


@pytest.mark.parametrize(("policy", "place"), EVERY, ids=lambda item: key_of(item) if isinstance(item, tuple) else "")
def test_a_key_that_is_absent_is_an_error(policy: Policy, place: tuple[Any, ...]) -> None:
    without = changed(payload(policy), place, drop=True)
    if key_of(place) in OPTIONAL:
        try:
            read = Policy.model_validate_json(json.dumps(without))
        except ValidationError:
            return
        assert at(read, place) in (None, (), type(policy.deny)())
        return
    with pytest.raises(TrustQueryError):
        Policy.from_payload(canonical.encode(without))


@pytest.mark.parametrize(("policy", "place"), EVERY, ids=lambda item: key_of(item) if isinstance(item, tuple) else "")
def test_another_value_is_an_error_or_no_wider_than_its_direction_says(policy: Policy, place: tuple[Any, ...]) -> None:
    data = payload(policy)
    for value in WRONG:
        if at_data(data, place) == value and type(at_data(data, place)) is type(value):
            continue
        try:
            read = Policy.from_payload(canonical.encode(changed(data, place, value)))
        except TrustQueryError:
            continue
        # It was a value of the key's own type: then the comparison sees it.
        assert read != policy
        difference = compare(policy, read)
        assert difference.loosened or difference.tightened or difference.other


def at_data(data: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        data = data[step]
    return data


LISTS_THAT_ALLOW = [
    (policy, place)
    for policy, place in EVERY
    for means in [next(means_of(model, name) for key, model, name in every_field(Policy) if key == key_of(place))]
    if means is not None
    and means.tighter in (Tighter.FEWER, Tighter.ENTRIES)
    # A witness without its key is silent: that is no refusal here, and no cosignature at the slot.
    and key_of(place) not in ("review.template", "review.template.query_hashes", "witnesses.stand_alone")
    and not key_of(place).startswith("dataset.tables.columns")
]


@pytest.mark.parametrize(("policy", "place"), LISTS_THAT_ALLOW, ids=lambda i: key_of(i) if isinstance(i, tuple) else "")
def test_a_list_that_is_empty_allows_nothing(policy: Policy, place: tuple[Any, ...]) -> None:
    try:
        closed = Policy.model_validate_json(json.dumps(changed(payload(policy), place, [])))
    except ValidationError:
        return
    for ready in ALLOWED:
        if ready.policy.trust == policy.trust and touches(ready.request, policy, place):
            assert not evaluate(closed, ready.request).allowed


def touches(request: PolicyRequest, policy: Policy, place: tuple[Any, ...]) -> bool:
    """Whether the request is about the dataset whose list was emptied; every other list is about all."""
    return place[0] != "dataset" or len(place) == 1 or policy.dataset[place[1]].id == request.dataset


READ = sorted({key for rule in RULES for key in rule.keys})
UNREAD = (..., None, "", "any", 0, object(), ["x"], {"x": 1})
"""Values that no policy read from a document can hold; ``...``: the attribute is not there at all."""


def test_every_key_is_read_by_a_rule_or_by_what_is_named() -> None:
    leaves = {
        place
        for place, model, name in every_field(Policy)
        if (means := means_of(model, name)) is not None and means.tighter is not Tighter.PARTS
    } - {"dataset", "review.template"}
    assert leaves - set(READ) == set(ELSEWHERE)
    assert set(READ) <= {place for place, _, _ in every_field(Policy)}


def spoilt(policy: Any, steps: list[str], value: Any) -> Any:
    """The policy with every value at a key replaced, past every check; ``...`` takes the key away."""
    if isinstance(policy, tuple):
        return tuple(spoilt(item, steps, value) for item in policy)
    if not isinstance(policy, BaseModel) or not hasattr(policy, steps[0]):
        return policy
    fields = dict(policy.__dict__)
    if len(steps) > 1:
        fields[steps[0]] = spoilt(fields[steps[0]], steps[1:], value)
    elif value is ...:
        del fields[steps[0]]
    else:
        fields[steps[0]] = value
    made = type(policy).__new__(type(policy))
    object.__setattr__(made, "__dict__", fields)
    object.__setattr__(made, "__pydantic_fields_set__", set(fields))
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


HARMLESS = {
    # No such value is read: the request meets another branch first.
    "queries.browser_max_rho": "only a browser's key is held to it",
    "review.template.name": "a name for people",
    "dataset.tables.columns.forbidden": "what is not listed is forbidden already",
}


@pytest.mark.parametrize("key", [key for key in READ if key not in HARMLESS])
def test_a_key_that_is_spoilt_in_memory_never_allows_more(key: str) -> None:
    """What cannot be read from a document is tried past the reader: the rules themselves must fail closed."""
    for ready in ready_cases():
        sound = evaluate(ready.policy, ready.request)
        for value in UNREAD:
            found = spoilt(ready.policy, key.split("."), value)
            if not sound.allowed and value != "any":
                assert not evaluate(found, ready.request).allowed or key in EASED, (key, value, ready.case.name)


NOT_REACHED = {
    # Another key decides first, or the request is not about it.
    "queries.min_trusts": "its own figures may be seen, so the number of trusts says nothing",
    "queries.trust_key": "the request has no such key",
    "queries.unknown_keys": "the request has no such key",
    "dataset.tables.columns.measure": "the request uses no measure",
    "dataset.tables.columns.join_only": "the request uses no identifier",
    "review.template.query_hashes": "the request needs no review",
    "review.minutes": "the request needs no review",
} | HARMLESS


@pytest.mark.parametrize("key", [key for key in READ if key not in NOT_REACHED and "." in key and key[:5] != "hours"])
def test_a_key_that_is_not_there_or_is_nonsense_refuses_what_was_allowed(key: str) -> None:
    ready = next(one for one in ALLOWED if one.request.uses and not one.case.request and touching(one, key))
    assert evaluate(ready.policy, ready.request).allowed
    for value in (..., object()):
        assert not evaluate(spoilt(ready.policy, key.split("."), value), ready.request).allowed, (key, value)


def touching(ready: cases.Ready, key: str) -> bool:
    """Whether the case's policy writes its columns out, or its witnesses, where the key is about them."""
    if key.startswith("witnesses."):
        return ready.policy.witnesses is not None
    return "columns." not in key or not isinstance(ready.policy.dataset[0].tables, str)


EASED = {
    "queries.finest_date",
    "who.min_training_days",
    "queries.min_released_count",
    "queries.min_trusts",
    "review.of",
    "review.every_query",
} | {f"deny.{name}" for name in type(SAMPLE.deny).model_fields}
"""Keys for which one of the values above is a sound value that allows: 0 days, no entries."""


@pytest.mark.parametrize("field", sorted(PolicyRequest.model_fields))
def test_a_request_without_a_field_or_with_another_type_is_refused(field: str) -> None:
    ready = ALLOWED[0]
    sound = dict(ready.request.__dict__)
    assert evaluate(ready.policy, PolicyRequest.model_construct(**sound)).allowed
    without = {name: value for name, value in sound.items() if name != field}
    broken = PolicyRequest.model_construct(**without)
    assert not evaluate(ready.policy, broken).allowed
    for value in (None, "", 1.5, -1, [], {}, object(), ("x",), "x" * 5_000):
        if isinstance(value, list | dict) and not value and field in ("uses", "date_grains"):
            continue
        changed_request = PolicyRequest.model_construct(**{**sound, field: value})
        assert not evaluate(ready.policy, changed_request).allowed, (field, value)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_that_raises_refuses(rule: Any) -> None:
    def broken(policy: Policy, request: PolicyRequest) -> Problem | None:
        raise KeyError("a secret of the machine")

    rules = tuple(dataclasses.replace(one, check=broken) if one is rule else one for one in RULES)
    for ready in ALLOWED[:3]:
        decision = evaluate(ready.policy, ready.request, rules)
        assert not decision.allowed
        assert decision.rules == (rule.id,)
        assert "secret" not in str(decision.reasons)


@pytest.mark.parametrize("policy", [None, object(), {}, SAMPLE.model_dump()])
def test_what_is_no_policy_allows_nothing(policy: Any) -> None:
    decision = evaluate(policy, ALLOWED[0].request)
    assert not decision.allowed
    assert len(decision.rules) > 20


def test_training_that_has_expired_is_refused_by_every_policy() -> None:
    for ready in ALLOWED:
        late = ready.request.model_copy(update={"training_expires": ready.request.now})
        assert "training" in evaluate(ready.policy, late).rules


def test_an_older_language_is_not_read_and_says_so() -> None:
    text = (ROOT / "policies/baseline/closed.toml").read_text(encoding="utf-8")
    with pytest.raises(TrustQueryError) as caught:
        Policy.from_toml(text.replace("tq-policy-2", "tq-policy-1"))
    assert "tq-policy-1 is no longer read" in caught.value.problem.reason


def test_marketing_cannot_be_written() -> None:
    data = tomllib.loads((ROOT / "policies/baseline/closed.toml").read_text(encoding="utf-8"))
    for purpose in ("marketing", "insurance", "commercial", "any", "*"):
        data["who"]["purposes"] = [purpose]
        with pytest.raises(ValueError, match="purposes"):
            Policy.model_validate_json(json.dumps(data, default=str))


def test_the_policy_in_words_leaves_no_key_out() -> None:
    for policy in (SAMPLE, SDE):
        text = render(policy)
        for _, place in ((policy, place) for policy, place in EVERY if policy is policy):
            means = next(means_of(model, name) for key, model, name in every_field(Policy) if key == key_of(place))
            if hasattr_at(policy, place):
                assert means is not None
                assert means.words in text, key_of(place)


def hasattr_at(policy: Policy, place: tuple[Any, ...]) -> bool:
    try:
        at(policy, place)
    except (AttributeError, IndexError, TypeError):
        return False
    return True

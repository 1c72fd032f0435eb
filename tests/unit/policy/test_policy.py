"""Reading, signing and evaluating a policy."""

from __future__ import annotations

import dataclasses
import datetime
import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.factories.trust import key, policy_text
from trustquery.errors import Problem, TrustQueryError
from trustquery.identity import Envelope, canonical
from trustquery.policy import RULES, Policy, PolicyRequest, Rule, evaluate
from trustquery.policy.schema import atto, nano
from trustquery.policy.schemas import schemas

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted([*(ROOT / "policies/examples").glob("*.toml"), *(ROOT / "policies/baseline").glob("*.toml")])
NOW = 1_800_000_000
DAY = 86_400


def problems(text: str) -> list[Problem]:
    with pytest.raises(TrustQueryError) as caught:
        Policy.from_toml(text)
    return list(caught.value.problems)


def policy(**changes: str) -> Policy:
    return Policy.from_toml(policy_text(**changes))


def request(**changes: Any) -> PolicyRequest:
    facts: dict[str, Any] = {
        "federation": "test",
        "node": "ash",
        "project": "stays",
        "person": "ada",
        "role": "analyst",
        "organisation": "University",
        "purpose": "health-service-planning",
        "dataset": "made-up",
        "query_hash": "a" * 64,
        "tables": frozenset({"person"}),
        "uses": frozenset({"person.sex dimension key"}),
        "date_grains": frozenset(),
        "aggregates": frozenset({"count"}),
        "mode": "local",
        "key_kind": "file",
        "rho_nano": 100_000_000,
        "delta_atto": 0,
        "cells": 100,
        "released_minimum": 0,
        "opt_out_treatment": "synthetic-data",
        "disclosure_profile": "none",
        "min_trusts": 2,
        "unknown_keys": False,
        "trust_key": False,
        "training_expires": NOW + 1,
        "revocations_age": 48 * 3_600,
        "now": NOW,
    }
    return PolicyRequest(**(facts | changes))


# -- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_policies_load_and_survive_signing(path: Path) -> None:
    found = Policy.from_toml(path.read_text())
    assert Policy.from_payload(found.payload()) == found
    schema = json.loads((ROOT / "policies/schema/policy.schema.json").read_text())
    Draft202012Validator(schema).validate(json.loads(found.payload()))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_an_editor_finds_the_schema_and_accepts_what_is_shipped(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    mark, _, name = text.partition("\n")[0].partition(" ")
    assert mark == "#:schema"
    schema = json.loads((path.parent / name).read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema)
    validator.validate(tomllib.loads(text))
    mistyped = tomllib.loads(text.replace("max_cells", "max_cels"))
    assert not validator.is_valid(mistyped)


def test_every_key_of_the_sample_is_in_the_schema_and_the_other_way_round() -> None:
    sample = Policy.from_toml((ROOT / "policies/examples/standard-acute-trust.toml").read_text())
    assert sample.model_fields_set == set(Policy.model_fields)
    for part in (sample.who, sample.queries, sample.review, sample.deny, sample.budget, sample.profiles):
        assert part is not None
        assert part.model_fields_set == set(type(part).model_fields)


def test_the_schemas_on_disk_are_in_date() -> None:
    for path, text in schemas().items():
        assert (ROOT / path).read_text() == text, f"{path}: write it again from trustquery.policy.schemas"


def test_the_closed_baseline_allows_nothing() -> None:
    closed = Policy.from_toml((ROOT / "policies/baseline/closed.toml").read_text())
    decision = evaluate(closed, request(federation="federation", node="trust", revocations_age=48 * 3_600 + 1))
    assert not decision.allowed
    assert {rule.id for rule in RULES} - ALWAYS <= set(decision.rules)


@pytest.mark.parametrize(
    ("line", "place", "nearest"),
    [
        ("max_cels = 5", "queries.max_cels", "max_cells"),
        ("MAX_CELLS = 5", "queries.MAX_CELLS", "max_cells"),
    ],
)
def test_an_unknown_key_names_the_nearest(line: str, place: str, nearest: str) -> None:
    (found,) = problems(policy_text().replace("[queries]", f"[queries]\n{line}"))
    assert (found.code, found.place, found.fields["nearest"]) == ("policy-unknown-key", place, nearest)


def test_every_fault_is_reported_with_its_place() -> None:
    text = policy_text(max_rho="nan2", max_cells="-1", version='"1"').replace("max_rho = nan2", 'max_rho = "x"')
    text = text.replace("[deny]", "[denied]").replace("every_query = false\n", "")
    found = {(problem.code, problem.place) for problem in problems(text)}
    assert found == {
        ("policy-invalid", "version"),
        ("policy-invalid", "queries.max_rho"),
        ("policy-invalid", "queries.max_cells"),
        ("policy-invalid", "review.every_query"),
        ("policy-unknown-key", "denied"),
    }


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "+nan", "1e400"])
def test_nan_and_infinity_are_refused(value: str) -> None:
    (found,) = problems(policy_text(max_rho=value))
    assert found.code == "policy-invalid"
    assert "max_rho" in found.place


@pytest.mark.parametrize("value", ["-0.1", "0.0000000001", "true", '"0.10"', '"1e-3"', '""', "[]", "10000001"])
def test_rho_is_a_plain_decimal_with_nine_places(value: str) -> None:
    assert [problem.code for problem in problems(policy_text(max_rho=value))] == ["policy-invalid"]


@pytest.mark.parametrize(
    ("value", "whole"),
    [("0", 0), ("0.000000001", 1), ("1", 10**9), ("0.10", 10**8), ("1e-3", 10**6), ('"0.5"', 5 * 10**8)],
)
def test_rho_is_exact(value: str, whole: int) -> None:
    assert nano(policy(max_rho=value).queries.max_rho) == whole


def test_delta_is_exact() -> None:
    assert atto(Decimal("0.000000000000000001")) == 1
    assert policy(delta_12_months="1e-18", delta_lifetime="1e-9").budget.node_wide.delta_12_months == Decimal("1e-18")


@pytest.mark.parametrize("table", ["[budget.node_wide]", "[budget.project]", "[budget.analyst]", "[dataset.budget]"])
@pytest.mark.parametrize("line", ["rho_lifetime", "delta_lifetime"])
def test_a_cap_that_is_not_written_is_an_error(table: str, line: str) -> None:
    before, mark, after = policy_text().partition(table)
    head, _, rest = after.partition(f"{line} =")
    (found,) = problems(before + mark + head + rest.partition("\n")[2])
    assert (found.code, found.fields["problem"]) == ("policy-invalid", "it is missing")


def test_profiles_have_a_cap_of_their_own_only_where_the_policy_says_so() -> None:
    assert policy().profiles is None
    found = policy(profiles="0.01 0.2").profiles
    assert found is not None
    assert (nano(found.rho_90_days), nano(found.rho_lifetime)) == (10_000_000, 200_000_000)


def test_a_policy_without_the_section_is_signed_as_it_was_before_there_was_one() -> None:
    assert b'"profiles":' not in policy().payload()
    null = policy().payload().replace(b',"queries":', b',"profiles":null,"queries":')
    with pytest.raises(TrustQueryError) as caught:
        Policy.from_payload(null)
    assert caught.value.code == "auth-document"
    with_section = policy(profiles="0.01 0.2")
    assert Policy.from_payload(with_section.payload()) == with_section


@pytest.mark.parametrize(
    ("lines", "code", "place"),
    [
        ("rho_90_days = 0.1", "policy-invalid", "profiles.rho_lifetime"),
        ("rho_lifetime = 0.1", "policy-invalid", "profiles.rho_90_days"),
        ("rho_90_days = 0.2\nrho_lifetime = 0.1", "policy-invalid", "profiles"),
        ("rho_90_day = 0.1\nrho_90_days = 0.1\nrho_lifetime = 0.1", "policy-unknown-key", "profiles.rho_90_day"),
        ("rho_90_days = 0.1\nrho_lifetime = 0.1\ndelta_lifetime = 0", "policy-unknown-key", "profiles.delta_lifetime"),
    ],
)
def test_a_section_for_profiles_is_whole_or_an_error(lines: str, code: str, place: str) -> None:
    (found,) = problems(f"{policy_text()}\n[profiles]\n{lines}\n")
    assert (found.code, found.place) == (code, place)


@pytest.mark.parametrize(
    "changes",
    [
        {"rho_12_months": "3"},  # above the lifetime's 2
        {"key_kinds": '["file", "browser"]'},  # without browser_max_rho
        {"per_trust_figures": "false"},  # but local mode shows them
        {"modes": '["local", "global"]'},
        {"purposes": '["marketing"]'},
        {"min_trusts": "0"},
        {"tables": '"some"'},
    ],
)
def test_what_contradicts_itself_or_is_not_built_is_refused(changes: dict[str, str]) -> None:
    assert {problem.code for problem in problems(policy_text(**changes))} == {"policy-invalid"}


def test_a_date_and_broken_toml_are_refused() -> None:
    assert [item.code for item in problems(policy_text(version="2026-01-01"))] == ["policy-invalid"]
    assert [item.code for item in problems("version = ")] == ["policy-invalid"]
    assert [item.code for item in problems("a = [" * 5_000)] == ["policy-invalid"]


def test_signed_bytes_have_one_spelling() -> None:
    data = json.loads(policy().payload())
    for change in ({"version": 1, "extra": 1}, {"queries": {**data["queries"], "max_rho": "0.10"}}, {"deny": None}):
        with pytest.raises(TrustQueryError):
            Policy.from_payload(canonical.encode({**data, **change}))
    with pytest.raises(TrustQueryError):
        # An integer where the payload writes a decimal string means the same, but is not the same bytes.
        Policy.from_payload(canonical.encode({**data, "queries": {**data["queries"], "max_rho": 1}}))
    without = {name: value for name, value in data.items() if name != "deny"}
    with pytest.raises(TrustQueryError):
        Policy.from_payload(canonical.encode(without))


def test_a_signature_covers_the_policy() -> None:
    envelope = policy().sign(key("grace"), key("ivan"))
    ring = {key(name).key_id: key(name).public for name in ("grace", "ivan")}
    assert Envelope.decode(envelope.encode(), kind="policy").require(ring, 2) == frozenset(ring)
    other = dataclasses.replace(envelope, payload=policy(version="2").payload())
    with pytest.raises(TrustQueryError):
        other.require(ring, 2)


# -- deciding ---------------------------------------------------------------------------------------------------------


def test_what_the_policy_lists_is_allowed() -> None:
    decision = evaluate(policy(), request())
    assert decision.allowed
    assert decision.reasons == ()


PERSON = '[{ name = "person", columns = "all-by-catalogue-role" }]'
HOURS = '{ zone = "Europe/London", days = ["monday"], start = "08:00", end = "18:00" }'  # NOW is a Friday
OPEN_KEYS = {"unknown_keys": "true", "delta_12_months": "1e-9", "delta_lifetime": "1e-9"}
ALWAYS = {
    "request",
    "belongs-here",
    "denied",
    "training",
    "date",
    "min-trusts",
    "unknown-keys",
    "trust-key",
    "hours",
} | {"delta-per-query"}
"""Rules that a plain request meets even under a policy that answers nothing."""


REFUSED: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("belongs-here", {"node": "birch"}, {}),
    ("belongs-here", {"federation": "other"}, {}),
    ("witnesses", {}, {"bootstrap": "false"}),
    ("denied", {}, {"deny__projects": '["stays"]'}),
    ("denied", {}, {"people": '["ada"]'}),
    ("denied", {}, {"deny__organisations": '["University"]'}),
    ("denied", {}, {"deny__columns": '["made-up/person.sex"]'}),
    ("denied", {}, {"deny__queries": f'["{"a" * 64}"]'}),
    ("project", {}, {"who__projects": '["other"]'}),
    ("organisation", {}, {"organisations": '["Trust"]'}),
    ("role", {}, {"roles": '["lead"]'}),
    ("rate", {}, {"max_queries_per_hour": "0"}),
    ("hours", {}, {"hours": HOURS}),
    ("column", {"uses": frozenset({"person.age measure key"})}, {}),
    ("column", {"uses": frozenset({"person.note forbidden filter"})}, {}),
    ("date", {"date_grains": frozenset({"day"})}, {"finest_date": '"month"'}),
    ("delta-per-query", {"delta_atto": 2}, OPEN_KEYS | {"max_delta": "1e-18"}),
    ("released-count", {}, {"min_released_count": "1"}),
    ("trust-key", {"trust_key": True}, {"trust_key": "false"}),
    ("review", {}, {"every_query": "true"}),
    ("review", {"rho_nano": 2}, {"above_rho": "0.000000001"}),
    ("review", {}, {"above_cells": "99"}),
    ("review", {"aggregates": frozenset({"sum"})}, {"of": '["sum"]'}),
    ("table", {"tables": frozenset({"person", "note"})}, {"tables": PERSON}),
    ("aggregate", {"aggregates": frozenset({"count", "median"})}, {}),
    ("mode", {"mode": "secure-sum"}, {}),
    ("mode", {}, {"modes": "[]"}),
    ("key-kind", {"key_kind": "keyring"}, {}),
    ("rho-per-query", {"rho_nano": 100_000_001}, {}),
    ("cells", {"cells": 101}, {}),
    ("cells", {"cells": 0}, {}),
    ("caps", {}, {"rho_12_months": "0.09"}),
    ("opt-out-treatment", {"opt_out_treatment": "applied"}, {}),
    ("disclosure-profile", {"disclosure_profile": "standard"}, {}),
    ("purpose", {"purpose": "clinical-audit"}, {}),
    ("unknown-keys", {"unknown_keys": True}, {}),
    ("training", {"training_expires": NOW}, {}),
    ("revocations", {"revocations_age": 48 * 3_600 + 1}, {}),
    ("revocations", {}, {"revocations_max_age_hours": "47"}),
    ("training", {"training_expires": NOW + 30 * DAY}, {"min_training_days": "30"}),
]


@pytest.mark.parametrize(("rule", "asked", "written"), REFUSED)
def test_each_rule_refuses(rule: str, asked: dict[str, Any], written: dict[str, str]) -> None:
    decision = evaluate(policy(**written), request(**asked))
    assert not decision.allowed
    assert set(decision.rules) - {"caps"} == {rule} - {"caps"}
    assert rule in decision.rules


BELOW = {"min-trusts", "per-trust-figures", "request", "dataset"}
"""Rules that refuse in a test of their own: another one goes with them."""


def test_every_rule_is_seen_refusing() -> None:
    seen = {rule for rule, _, _ in REFUSED} | BELOW
    assert seen == {rule.id for rule in RULES}
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_figures_by_trust_need_that_permission() -> None:
    open_to_all, hidden = policy(), policy(modes='["secure-sum"]', per_trust_figures="false")
    assert evaluate(open_to_all, request(trust_key=True)).allowed
    assert "trust-key" in evaluate(hidden, request(trust_key=True)).rules
    assert "trust-key" not in evaluate(hidden, request()).rules


def test_a_dataset_that_is_not_listed_has_no_tables_and_no_caps() -> None:
    assert evaluate(policy(), request(dataset="other")).rules == ("dataset", "table", "column", "caps")


def test_a_delta_needs_thresholded_release_and_caps() -> None:
    assert evaluate(policy(), request(delta_atto=1)).rules == ("delta-per-query", "caps", "unknown-keys")


def test_a_template_needs_no_review_and_another_question_does() -> None:
    template = f'[{{ name = "approved", query_hashes = ["{"a" * 64}"] }}]'
    reviewed = policy(every_query="true", template=template)
    assert evaluate(reviewed, request()).allowed
    assert evaluate(reviewed, request(query_hash="b" * 64)).rules == ("review",)


@pytest.mark.parametrize(
    ("moment", "allowed"),
    [
        ("2026-07-06T06:59:59", False),  # 07:59 in London: a Monday, in summer time
        ("2026-07-06T07:00:00", True),
        ("2026-07-06T16:59:59", True),
        ("2026-07-06T17:00:00", False),
        ("2026-07-07T08:00:00", False),
        ("2026-01-05T07:30:00", False),
        ("2026-01-05T08:00:00", True),
    ],
)
def test_hours_are_the_trusts_own_clock(moment: str, allowed: bool) -> None:
    now = int(datetime.datetime.fromisoformat(moment).replace(tzinfo=datetime.UTC).timestamp())
    asked = request(now=now, training_expires=now + 1)
    assert evaluate(policy(hours=HOURS), asked).allowed is allowed


def test_a_refusal_names_the_trust_the_rule_and_what_would_change_it() -> None:
    (reason,) = evaluate(policy(), request(purpose="clinical-audit")).reasons
    assert reason.reason == "the policy of ash refuses this: rule purpose"
    assert reason.fix == "purposes answered: health-service-planning"


def test_small_figures_are_written_out_in_full() -> None:
    (reason,) = evaluate(policy(max_rho="0.000000001"), request(rho_nano=2)).reasons
    assert reason.fix == "ask for a rho above 0 and of at most 0.000000001"


def test_a_denied_table_wins_over_all_tables() -> None:
    denying = policy(deny__tables='["made-up/note"]')
    assert evaluate(denying, request()).allowed
    assert evaluate(denying, request(tables=frozenset({"person", "note"}))).rules == ("denied",)


def test_few_trusts_need_the_per_trust_permission() -> None:
    assert evaluate(policy(min_trusts="3"), request(min_trusts=1)).allowed
    hidden = policy(min_trusts="3", modes='["secure-sum"]', per_trust_figures="false")
    assert "min-trusts" in evaluate(hidden, request(min_trusts=2)).rules
    assert "min-trusts" not in evaluate(hidden, request(min_trusts=3)).rules


def test_a_browser_key_has_a_lower_cap_of_its_own() -> None:
    text = policy_text(key_kinds='["browser"]').replace("max_rho = 0.1", "max_rho = 0.1\nbrowser_max_rho = 0.01", 1)
    browser = Policy.from_toml(text)
    assert evaluate(browser, request(key_kind="browser", rho_nano=10_000_000)).allowed
    assert evaluate(browser, request(key_kind="browser", rho_nano=10_000_001)).rules == ("rho-per-query",)


def test_training_must_outlast_the_days_asked_for() -> None:
    lasting = policy(min_training_days="30")
    assert evaluate(lasting, request(training_expires=NOW + 30 * DAY + 1)).allowed


def _broken(policy: Policy, request: PolicyRequest) -> Problem | None:
    raise RuntimeError("a secret")


def test_a_rule_that_raises_refuses_and_says_nothing_of_why() -> None:
    decision = evaluate(policy(), request(), (*RULES, Rule("broken", _broken)))
    assert not decision.allowed
    assert [problem.code for problem in decision.reasons] == ["policy-rule-error"]
    assert "secret" not in str(decision.reasons)


def test_no_rules_allow_nothing() -> None:
    assert not evaluate(policy(), request(), ()).allowed

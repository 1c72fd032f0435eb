"""What the coordinator checks of a signed query: each claim, twisted one at a time."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from coordinator.queries.checks import Submission, Surroundings, check_submission
from coordinator.store import ProjectRow, User
from tests.factories.documents import NOW, intent, node_entry, permit, person, roster
from trustquery.catalogue import Catalogue, load
from trustquery.codelists import PublicTable, read_table, shipped
from trustquery.errors import TrustQueryError
from trustquery.identity import Input, SigningKey
from trustquery.language import compile_query
from trustquery.planning import compile_plan

ADA, EVE, ANN, BOB = (SigningKey.generate() for _ in range(4))
NODES = tuple(node_entry(ods, SigningKey.generate()) for ods in ("RX1", "RX2", "RX3"))
CATALOGUE = load("omop-5.4")
SQL = "SELECT count(*) AS visits FROM visit_occurrence"
QUERY = compile_query(SQL, CATALOGUE, epsilon=Decimal("0.5"))
PLAN = compile_plan(QUERY, CATALOGUE)
USER = User(id=1, name="ada", public_key=ADA.public.hex(), disabled=False, created=NOW)
ROSTER = roster(NODES, (person("ann", ANN), person("bob", BOB)))


def around(*approved: PublicTable) -> Surroundings:
    """A coordinator at which these tables are approved."""
    return Surroundings("test", ROSTER, {"omop-5.4": CATALOGUE}, 3600, NOW, lambda pins: approved)


AROUND = around()


def project(**changed: Any) -> ProjectRow:
    state = changed.pop("state", "live")
    document = permit(ADA, **changed)
    return ProjectRow(
        name="stays", version=1, permit=document.sign(ANN, BOB).encode(), permit_hash=document.sha256, state=state,
        added=NOW,
    )  # fmt: skip


def submission(key: SigningKey = ADA, permit_hash: str = "", **changed: Any) -> Submission:
    fields: dict[str, Any] = {
        "permit_hash": permit_hash or permit(ADA).sha256,
        "query_hash": QUERY.sha256,
        "plan_hash": PLAN.sha256,
        "catalogue_hash": CATALOGUE.sha256,
        "rho_nano": PLAN.rho_nano,
    }
    signed = intent(key, **(fields | changed))
    return Submission("stays", SQL, QUERY.payload(), signed.sign(key).encode(), Decimal("0.5"))


def refused(given: Submission, row: ProjectRow | None = None, user: User = USER, at: Surroundings = AROUND) -> str:
    with pytest.raises(TrustQueryError) as caught:
        check_submission(given, user, row or project(), at)
    return caught.value.code


def test_an_honest_query_passes() -> None:
    checked = check_submission(submission(), USER, project(), AROUND)
    assert checked.plan == PLAN
    assert checked.query == QUERY


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"federation": "other"}, "auth-document"),
        ({"project": "other"}, "auth-document"),
        ({"permit_hash": "0f" * 32}, "auth-document"),
        ({"query_hash": "0f" * 32}, "auth-document"),
        ({"catalogue_hash": "0f" * 32}, "auth-document"),
        ({"plan_hash": "0f" * 32}, "query-plan-mismatch"),
        ({"plan_format": "tq-plan-1"}, "query-plan-mismatch"),
        ({"rho_nano": PLAN.rho_nano - 1}, "budget-charge-mismatch"),
        ({"rho_nano": PLAN.rho_nano + 1}, "budget-charge-mismatch"),
        ({"delta_atto": 1}, "budget-charge-mismatch"),
        ({"mode": "secure-sum"}, "auth-document"),
        ({"opt_out_treatment": "applied"}, "auth-document"),
        ({"disclosure_profile": "other"}, "auth-document"),
        ({"as_of": "2001-01-01"}, "auth-document"),
        ({"min_trusts": 1}, "auth-document"),
        ({"not_after": NOW}, "node-deadline"),
        ({"not_after": NOW + 3601}, "auth-document"),
        ({"nodes": ("RX1", "RX9")}, "node-unknown"),
        ({"key_kind": "browser"}, "project-not-a-member"),
        ({"key_id": EVE.key_id}, "project-not-a-member"),
    ],
)
def test_each_signed_claim_is_checked(changed: dict[str, Any], code: str) -> None:
    assert refused(submission(**changed)) == code


def test_another_persons_signature_is_refused() -> None:
    forged = submission(EVE, key_id=ADA.key_id)
    assert refused(forged) == "auth-document"


def test_a_stranger_sees_no_project() -> None:
    stranger = User(id=2, name="eve", public_key=EVE.public.hex(), disabled=False, created=NOW)
    assert refused(submission(), user=stranger) == "project-unknown"
    with pytest.raises(TrustQueryError) as caught:
        check_submission(submission(), USER, None, AROUND)
    assert caught.value.code == "project-unknown"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"state": "suspended"}, "project-ended"),
        ({"expires": NOW}, "project-ended"),
        ({"valid_from": NOW + 1}, "project-ended"),
        ({"training_expires": NOW}, "project-training-expired"),
        ({"datasets": ("nhs-episodes",)}, "project-dataset-not-permitted"),
    ],
)
def test_the_permit_decides(changed: dict[str, Any], code: str) -> None:
    assert refused(submission(), project(**changed)) == code


def test_the_text_must_be_what_was_signed() -> None:
    assert refused(replace(submission(), sql="SELECT count(*) AS visits FROM person")) == "query-plan-mismatch"
    assert refused(replace(submission(), epsilon=Decimal("0.4"))) == "query-plan-mismatch"
    assert refused(replace(submission(), model=b"{}")) == "query-model-invalid"


def test_another_catalogue_is_refused() -> None:
    other = Catalogue.model_validate_json(json.dumps(CATALOGUE.document() | {"version": CATALOGUE.version + 1}))
    assert refused(submission(), at=replace(AROUND, catalogues={"omop-5.4": other})) == "query-catalogue-mismatch"


def test_an_expired_roster_stops_everything() -> None:
    old = AROUND.roster.model_copy(update={"expires": NOW})
    assert refused(submission(), at=replace(AROUND, roster=old)) == "policy-document-stale"


# -- parameters and public tables --------------------------------------------------------------------------------------

CODES = read_table(b"code,term\n1,a\n2,b\n", "mine.csv")
PUBLIC = shipped().with_more([CODES])
HELD = around(CODES)
LOOKUP = (
    "SELECT count(*) AS n FROM condition_occurrence WHERE condition_source_value IN (SELECT code FROM mine) "
    "AND condition_start_date IN (SELECT day FROM calendar_day) AND condition_source_value <> $code"
)


def lookup(code: str = "1", **changed: Any) -> Submission:
    """An honest question about a codelist, a shipped table and a parameter; ``changed`` replaces parts of it."""
    query = compile_query(LOOKUP, CATALOGUE, epsilon=Decimal("0.5"), public=PUBLIC, parameters={"code": code})
    plan = compile_plan(query, CATALOGUE, PUBLIC)
    signed = changed.pop("signed", {})
    fields: dict[str, Any] = {
        "permit_hash": permit(ADA).sha256,
        "query_hash": query.sha256,
        "plan_hash": plan.sha256,
        "catalogue_hash": CATALOGUE.sha256,
        "rho_nano": plan.rho_nano,
        "inputs": tuple(Input(**pin.document()) for pin in query.inputs),
    }
    made = intent(ADA, **(fields | signed))
    given = Submission(
        "stays", LOOKUP, query.payload(), made.sign(ADA).encode(), Decimal("0.5"),
        {"code": {"type": "text", "value": "1"}},
    )  # fmt: skip
    return replace(given, **changed)


def test_a_question_about_a_codelist_passes_and_keeps_only_what_does_not_ship() -> None:
    checked = check_submission(lookup(), USER, project(), HELD)
    assert [pin.id for pin in checked.query.inputs] == ["calendar_day", "mine"]
    assert checked.inputs == (CODES,)


@pytest.mark.parametrize(
    "change",
    [
        lambda pins: (),
        lambda pins: pins[:1],
        lambda pins: pins[::-1],
        lambda pins: (*pins, Input(id="zzz", version=1, sha256="ab" * 32)),
        lambda pins: (pins[0], pins[1].model_copy(update={"version": 2})),
        lambda pins: (pins[0], pins[1].model_copy(update={"sha256": "ab" * 32})),
        lambda pins: (pins[0].model_copy(update={"id": "calendar_month"}), pins[1]),
    ],
    ids=["none", "fewer", "another order", "more", "version", "hash", "name"],
)
def test_the_intent_names_the_inputs_of_the_model_exactly(change: Any) -> None:
    pins = tuple(Input(**table.pin.document()) for table in sorted(PUBLIC, key=lambda table: table.id))
    pins = tuple(pin for pin in pins if pin.id in ("calendar_day", "mine"))
    assert check_submission(lookup(signed={"inputs": pins}), USER, project(), HELD).plan.length > 0
    assert refused(lookup(signed={"inputs": change(pins)}), at=HELD) == "auth-document"


def test_an_intent_without_inputs_for_a_query_with_none_only() -> None:
    assert refused(submission(inputs=(Input(**CODES.pin.document()),))) == "auth-document"


def test_a_table_that_nobody_approved_is_refused_by_name() -> None:
    other = read_table(b"code,term\n1,a\n3,b\n", "mine.csv")
    later = read_table(b"code,term\n1,a\n2,b\n", "mine.csv", version=2)
    for approved in ((), (other,), (later,), (other, later)):
        with pytest.raises(TrustQueryError) as caught:
            check_submission(lookup(), USER, project(), around(*approved))
        assert caught.value.code == "query-input-unapproved"
        assert caught.value.problem.fields["table"] == "mine"
    assert check_submission(lookup(), USER, project(), around(other, later, CODES)).inputs == (CODES,)


def test_the_parameters_must_be_those_of_the_model() -> None:
    assert refused(lookup(code="2"), at=HELD) == "query-plan-mismatch"
    assert refused(replace(lookup(), parameters={}), at=HELD) == "query-parameter-missing"
    more = {"code": {"type": "text", "value": "1"}, "b": {"type": "text", "value": "1"}}
    assert refused(replace(lookup(), parameters=more), at=HELD) == "query-parameter-unused"
    assert (
        refused(replace(lookup(), parameters={"code": {"type": "sql", "value": "1"}}), at=HELD)
        == "query-parameter-invalid"
    )

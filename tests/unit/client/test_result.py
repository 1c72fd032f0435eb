"""A result is believed as far as the trusts' signatures carry it."""

import base64
import hashlib
import struct
from decimal import Decimal
from typing import Any

import pytest

from tests.factories.documents import intent, node_entry, person, roster
from trustquery.catalogue import load
from trustquery.errors import Problem, TrustQueryError
from trustquery.forecast.explain import cost_of
from trustquery.identity import Answer, SigningKey, canonical
from trustquery.language import compile_query
from trustquery.log import Checkpoint, cosign, node_origin, with_lines
from trustquery.outputs import criteria
from trustquery.planning import compile_plan
from trustquery.question.result import Result, by_reason, read_result

CATALOGUE = load("omop-5.4")
MODEL = compile_query("SELECT count(*) AS visits FROM visit_occurrence", CATALOGUE, epsilon=Decimal("0.5"))
PLAN = compile_plan(MODEL, CATALOGUE)
ADA = SigningKey.generate()
KEYS = {ods: SigningKey.generate() for ods in ("RX1", "RX2", "RX3")}
ROSTER = roster(
    tuple(node_entry(ods, key) for ods, key in KEYS.items()),
    (person("ann", SigningKey.generate()), person("bob", SigningKey.generate())),
)
INTENT = intent(ADA, query_hash=MODEL.sha256, plan_hash=PLAN.sha256, rho_nano=PLAN.rho_nano)
Item = dict[str, Any]
NO_ANSWER = Problem("node-no-answer").document()


def answered(ods: str, number: int, *, shown: bool = True, key: SigningKey | None = None, **changed: Any) -> Item:
    vector = struct.pack("<q", number)
    fields: dict[str, Any] = {
        "federation": "test", "release_id": INTENT.release_id, "query_hash": MODEL.sha256, "plan_hash": PLAN.sha256,
        "node": ods, "data_version": 1, "policy_hash": "", "mode": "local", "status": "answer",
        "vector_sha256": hashlib.sha256(vector).hexdigest(), "vector_length": 1, "rho_nano": PLAN.rho_nano,
        "ledger_seq": 1, "reasons": (),
    }  # fmt: skip
    envelope = Answer(**(fields | changed)).sign(key or KEYS[ods]).encode().decode()
    vector_text = base64.b64encode(vector).decode() if shown else None
    return {"node": ods, "name": ods, "rho_nano": PLAN.rho_nano, "envelope": envelope, "vector": vector_text}


ZERO = base64.b64encode(bytes(8)).decode()
SILENT: Item = {"status": "no-answer", "vector_sha256": "", "vector_length": 0}


BOOTSTRAP = Problem("policy-bootstrap").document()


def missing(ods: str, reason: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"node": ods, "name": ods, "rho_nano": 0, "reasons": [NO_ANSWER], "envelope": None}
    if reason is not None:
        signed = answered(ods, 0, **(SILENT | {"status": "refused", "rho_nano": 0, "reasons": (reason,)}))
        found |= {"reasons": [reason], "envelope": signed["envelope"]}
    return found


def read(vector: list[str] | None, trusts: list[dict[str, Any]], absent: list[dict[str, Any]]) -> Result:
    result = {"vector": vector, "trusts": trusts, "missing": absent}
    return read_result(
        {"query": INTENT.release_id, "result": result}, intent=INTENT, model=MODEL, plan=PLAN, catalogue=CATALOGUE,
        roster=ROSTER, cost=cost_of(PLAN, CATALOGUE), shares={},
    )  # fmt: skip


def refused(*arguments: Any) -> TrustQueryError:
    with pytest.raises(TrustQueryError) as caught:
        read(*arguments)
    return caught.value


def test_an_honest_result_is_read_and_its_sum_repeated() -> None:
    found = read(["5"], [answered("RX1", 2), answered("RX2", 3, reasons=(BOOTSTRAP,))], [missing("RX3")])
    assert found.to_arrow()["visits"].to_pylist() == [5.0]
    assert found.to_pandas()["visits"].tolist() == [5.0]
    assert found.merge_checked
    assert (found.answered, [trust.node for trust in found.trusts]) == (2, ["RX1", "RX2", "RX3"])
    assert found.trusts[2].reasons[0].reason == "no answer"
    assert any("No rollback protection" in note for note in found.notes)


def head(ods: str, *by: str, size: int = 9, key: SigningKey | None = None) -> dict[str, str]:
    """The cosigned ledger head that comes beside a trust's answer."""
    note = Checkpoint(node_origin("test", ods), size, bytes(32)).sign(key or KEYS[ods])
    return {"head": with_lines(note, [cosign(note, node_origin("test", name), KEYS[name], 5) for name in by]).decode()}


def rollback(*heads: dict[str, str]) -> str:
    """What a result of two trusts says, the heads beside them."""
    items = [answered(ods, 2) | heads[place] for place, ods in enumerate(("RX1", "RX2"))]
    (note,) = [note for note in read(["4"], items, [missing("RX3")]).notes if "ollback" in note or "cosigned" in note]
    return note


def test_a_result_says_who_cosigned_each_ledger() -> None:
    assert rollback(head("RX1", "RX2", "RX3"), head("RX2", "RX3")) == (
        "Ledgers were cosigned before anything left: RX1 by RX2, RX3; RX2 by RX3."
    )


NO_HEAD = {
    "none": {},
    "nobody signed": head("RX2"),
    "itself alone": head("RX2", "RX2"),
    "another trust's": head("RX1", "RX3"),
    "older than the release": head("RX2", "RX3", size=0),
    "signed by another": head("RX2", "RX3", key=KEYS["RX3"]),
    "nonsense": {"head": "nonsense"},
}


@pytest.mark.parametrize("wrong", NO_HEAD)
def test_what_no_witness_signed_is_said_to_be_unprotected(wrong: str) -> None:
    """The coordinator can leave a head out or change it; it cannot make one."""
    assert rollback(head("RX1", "RX2"), NO_HEAD[wrong]).startswith("No rollback protection: no witnesses were shown")
    assert "RX2" in rollback(head("RX1", "RX2"), NO_HEAD[wrong])


def test_a_reason_that_the_trust_did_not_sign_is_not_shown() -> None:
    invented = missing("RX3") | {"reasons": [Problem("policy-stopped").document()]}
    found = read(["5"], [answered("RX1", 2), answered("RX2", 3)], [invented])
    assert [reason.code for reason in found.trusts[2].reasons] == ["node-no-answer"]


def test_without_the_vectors_the_result_says_that_the_sum_was_not_checked() -> None:
    found = read(["5"], [answered("RX1", 2, shown=False), answered("RX2", 3)], [missing("RX3")])
    assert not found.merge_checked
    assert any("not independently checked" in note for note in found.notes)


@pytest.mark.parametrize(
    ("vector", "trusts", "absent"),
    [
        (["6"], [answered("RX1", 2), answered("RX2", 3)], [missing("RX3")]),
        (["5"], [answered("RX1", 2, key=ADA), answered("RX2", 3)], [missing("RX3")]),
        (["5"], [answered("RX1", 2) | {"vector": ZERO}, answered("RX2", 3)], [missing("RX3")]),
        (["5"], [answered("RX1", 2, plan_hash="0f" * 32), answered("RX2", 3)], [missing("RX3")]),
        (["5"], [answered("RX1", 2, rho_nano=PLAN.rho_nano + 1), answered("RX2", 3)], [missing("RX3")]),
        (["4"], [answered("RX1", 2), answered("RX1", 2)], [missing("RX3")]),
        (["5"], [answered("RX1", 2), answered("RX2", 3)], []),
        (["5"], [answered("RX1", 2), answered("RX2", 3) | {"node": "RX9"}], [missing("RX3")]),
        (["2"], [answered("RX1", 2), answered("RX2", 0, **SILENT)], [missing("RX3")]),
    ],
)
def test_a_result_that_the_trusts_did_not_sign_is_refused(vector: Any, trusts: Any, absent: Any) -> None:
    assert refused(vector, trusts, absent).code == "auth-document"


def test_too_few_answers_give_the_trusts_own_reasons_first() -> None:
    budget = Problem("budget-exhausted", "", {"scope": "project"}).document()
    error = refused(None, [answered("RX1", 2)], [missing("RX2", budget), missing("RX3", budget)])
    assert [(problem.code, problem.place) for problem in error.problems] == [
        ("budget-exhausted", "RX2, RX3"),
        ("query-too-few-trusts", ""),
    ]
    assert error.exit_status == 20
    assert refused(None, [answered("RX1", 2)], [missing("RX2"), missing("RX3")]).exit_status == 14
    # A vector made of fewer answers than the project needs is no result either.
    assert refused(["2"], [answered("RX1", 2)], [missing("RX2"), missing("RX3")]).code == "query-too-few-trusts"


def test_the_same_reason_is_told_once() -> None:
    stop, scope = Problem("policy-stopped"), Problem("budget-exhausted", "", {"scope": "project"})
    found = by_reason([("RX1", [stop]), ("RX2", [scope, stop]), ("RX3", [])])
    assert [(problem.code, problem.place) for problem in found] == [
        ("policy-stopped", "RX1, RX2"),
        ("budget-exhausted", "RX2"),
    ]


# -- disclosure profiles -------------------------------------------------------------------------------------------


def floor(profile: object) -> dict[str, Any]:
    return Problem("policy-disclosure-floor", "", {"profile": "none"}).document() | {"fields": {"profile": profile}}


def shown(project: str, *floors: object, each: int = 50) -> Result:
    asked = intent(
        ADA, query_hash=MODEL.sha256, plan_hash=PLAN.sha256, rho_nano=PLAN.rho_nano, disclosure_profile=project
    )
    items = [
        answered(ods, each, release_id=asked.release_id, reasons=(floor(name),) if name else ())
        for ods, name in zip(("RX1", "RX2"), floors, strict=True)
    ]
    view = {
        "query": asked.release_id,
        "result": {"vector": [str(2 * each)], "trusts": items, "missing": [missing("RX3")]},
    }
    return read_result(
        view, intent=asked, model=MODEL, plan=PLAN, catalogue=CATALOGUE, roster=ROSTER, cost=cost_of(PLAN, CATALOGUE),
        shares={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("project", "floors", "name", "least", "rounding"),
    [
        ("none", ("", ""), "none", 0, 1),
        ("none", ("nhs-hes", ""), "nhs-hes", 8, 5),
        ("nhs-hes", ("", "hdruk-10-10"), "hdruk-10-10", 11, 10),
        ("hdruk-10-10", ("nhs-hes", "none"), "hdruk-10-10", 11, 10),
        ("opensafely-7-5", ("acro-threshold-10", ""), "acro-threshold-10+opensafely-7-5", 11, 5),
    ],
)
def test_the_strictest_profile_of_project_and_trusts_is_used(
    project: str, floors: tuple[str, str], name: str, least: int, rounding: int
) -> None:
    found = shown(project, *floors)
    used = found.table.profile
    assert (used.name, used.minimum_released_count, used.rounding) == (name, least, rounding)
    said = any("presentation, not protection" in note for note in found.notes)
    assert said is (name != "none")


def test_a_profile_that_is_not_known_shows_nothing() -> None:
    for project, floors in (("standard", ("", "")), ("none", ("nhs-hes", "house-rules"))):
        with pytest.raises(TrustQueryError) as caught:
            shown(project, *floors)
        assert caught.value.code == "policy-profile-unknown"


def test_a_note_of_a_profile_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(TrustQueryError) as caught:
        shown("none", 7, "")
    assert caught.value.code == "auth-document"


def test_a_small_merged_count_is_suppressed() -> None:
    assert shown("nhs-hes", "", "", each=3).table.document()["rows"][0][0]["suppressed"] == "small-count"
    assert shown("nhs-hes", "", "", each=4).table.document()["rows"][0][0]["value"] == 10


def test_the_criteria_are_bound_to_the_release_and_anybody_computes_them() -> None:
    found = shown("nhs-hes", "", "acro-threshold-10")
    assert found.criteria is not None
    record = found.criteria.record()["record"]
    assert record["presentation"] == {
        "profile": "acro-threshold-10+nhs-hes", "minimum_released_count": 11, "rounding": 5,
        "asked_by": ["project:nhs-hes", "trust:RX2:acro-threshold-10"],
    }  # fmt: skip
    assert (record["rho_nano"], record["plan_hash"]) == (PLAN.rho_nano, PLAN.sha256)
    assert [trust["node"] for trust in record["trusts"]] == ["RX1", "RX2"]
    assert record["reviewed_by"] == []
    again = criteria.Criteria.from_payload(canonical.encode(record))
    assert again.sha256 == found.criteria.sha256

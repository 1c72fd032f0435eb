"""Inputs over the real API and store: uploaded, decided on by somebody else, versioned, withdrawn."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any

import pytest

from coordinator.config import RetentionSettings
from coordinator.retention import Retention
from coordinator.store import Store
from tests.factories.documents import NOW, permit
from tests.lib.access_site import member
from tests.lib.site import Site, code_of, open_site, project_row, put_project
from trustquery.access import Held, Role
from trustquery.codelists import CodingSystem, Pin, read_table
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey
from trustquery.projects.inputs import INPUT_MOVES, InputDecision, InputState, input_after, read_decision

STROKE = b"icd,description\nI60,Subarachnoid haemorrhage\nI610,Intracerebral haemorrhage\n"
MORE = STROKE + b"I63,Cerebral infarction\n"
KEYS = {name: SigningKey.generate() for name in ("ann", "bob", "ada", "zed", "second")}
DAY = 86_400
MEMBER = Held(Role.COMMITTEE_MEMBER)


@pytest.fixture
def at(store: Store, tmp_path: Any) -> Site:
    """ada asks in stays; ann and bob are the committee; ada2 is ada's other account, and on it, too."""
    committee = {"ann": KEYS["ann"], "bob": KEYS["bob"], "ada": KEYS["second"]}
    site = open_site(store, tmp_path, committee, SigningKey.generate(), burst=10_000)
    for name in ("ann", "bob"):
        assert store.people.add(name, KEYS[name].public.hex(), NOW, held=[MEMBER])
    assert store.people.add("ada", KEYS["ada"].public.hex(), NOW, held=[Held(Role.ANALYST)])
    assert store.people.add("ada2", KEYS["second"].public.hex(), NOW, person="ada", held=[MEMBER])
    assert store.people.add("zed", KEYS["zed"].public.hex(), NOW, held=[Held(Role.ANALYST)])
    put_project(
        store, project_row(permit(KEYS["ada"], members=(member("ada", KEYS["ada"]),)), KEYS["ann"], KEYS["bob"])
    )
    return site


def upload(at: Site, content: bytes = STROKE, version: int = 1, who: str = "ada", **changed: Any) -> Any:
    body = {
        "project": "stays", "name": "stroke", "version": version, "system": "icd10", "file": "stroke.csv",
        "content": base64.b64encode(content).decode(),
    }  # fmt: skip
    return at.as_user(who).call("POST", "/v1/inputs", json=body | changed)


def decision(by: str = "ann", person: str = "", content: bytes = STROKE, version: int = 1, **changed: Any) -> str:
    table = read_table(content, "stroke.csv", version=version)
    fields: dict[str, Any] = {
        "federation": "test", "id": "stroke", "version": version, "table_hash": table.sha256,
        "system": CodingSystem.ICD10, "column": "icd", "verdict": "approve", "reason": "The stroke team's list.",
        "person": person or by, "decided": NOW,
    }  # fmt: skip
    return InputDecision(**(fields | changed)).sign(KEYS[by]).encode().decode()


def decide(at: Site, envelope: str, who: str = "ann", verdict: str = "approve", version: int = 1) -> Any:
    return at.as_user(who).call("POST", f"/v1/inputs/stroke/{version}/{verdict}", json={"envelope": envelope})


def states(at: Site, who: str) -> dict[str, str]:
    rows = at.as_user(who).call("GET", "/v1/inputs").json()["inputs"]
    return {f"{row['name']}@{row['version']}": row["state"] for row in rows}


def test_a_second_person_approves_what_one_has_uploaded(at: Site) -> None:
    reply = upload(at)
    assert (reply.status_code, reply.json()["state"]) == (201, "uploaded")
    assert reply.json()["sha256"] == read_table(STROKE, "stroke.csv").sha256
    assert (states(at, "ada"), states(at, "zed")) == ({"stroke@1": "uploaded"}, {})
    assert code_of(at.as_user("zed").call("GET", "/v1/inputs/stroke/1/table")) == "query-input-absent"
    assert code_of(at.as_user("zed").call("GET", "/v1/inputs/stroke/1")) == "query-input-absent"
    envelope = decision()
    assert decide(at, envelope).json()["state"] == "approved"
    found = at.as_user("zed").call("GET", "/v1/inputs/stroke/1/table").json()
    signed, signer = read_decision(found["approval"].encode(), at.base.rosters.current())
    assert (signed.pin, signer.person) == (Pin("stroke", 1, found["sha256"]), "ann")
    assert [event["action"] for event in found["events"]] == ["upload", "approve"]
    assert states(at, "zed") == {"stroke@1": "approved"}


@pytest.mark.acceptance("AUZ-07")
def test_nobody_approves_their_own_through_any_account(at: Site) -> None:
    upload(at)
    assert code_of(decide(at, decision("second", "ada"), who="ada2")) == "auth-not-permitted"
    assert code_of(decide(at, decision("second", "ada"), who="ada")) == "auth-not-permitted"
    # Somebody who may decide hands in what the uploader has signed.
    assert code_of(decide(at, decision("second", "ada"), who="ann")) == "auth-document"
    assert states(at, "ada") == {"stroke@1": "uploaded"}


@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        (lambda: decision("bob"), "auth-document"),
        (lambda: decision("ann", "bob"), "auth-document"),
        (lambda: decision("zed", "ann"), "auth-document"),
        (lambda: decision(verdict="refuse"), "auth-document"),
        (lambda: decision(federation="other"), "auth-document"),
        (lambda: decision(table_hash="ab" * 32), "auth-document"),
        (lambda: decision(content=MORE), "auth-document"),
        (lambda: decision(version=2), "auth-document"),
        (lambda: decision(system=CodingSystem.OPCS4), "auth-document"),
        (lambda: decision(column="description"), "auth-document"),
        (lambda: decision(decided=NOW + 301), "auth-document"),
        (lambda: decision(decided=NOW - 15 * 86_400), "auth-document"),
        (lambda: "{}", "auth-document"),
    ],
)
def test_a_decision_is_its_makers_own_and_about_this_very_table(at: Site, envelope: Any, code: str) -> None:
    upload(at)
    assert code_of(decide(at, envelope())) == code
    assert states(at, "ada") == {"stroke@1": "uploaded"}
    assert at.base.store.inputs.events("stroke")[-1].action == "upload"


def test_versions_go_up_and_the_same_content_is_the_same_version(at: Site) -> None:
    first = upload(at).json()
    assert upload(at).json() == first
    # The same file under another number is still the first version.
    assert upload(at, version=2).json() == first
    assert code_of(upload(at, MORE, version=1)) == "query-input-version"
    assert code_of(upload(at, MORE, version=3)) == "query-input-version"
    assert upload(at, MORE, version=2).json()["version"] == 2
    assert code_of(upload(at, system="look-up")) == "query-input-invalid"
    assert [row.version for row in at.base.store.inputs.everyone()] == [1, 2]


def test_a_name_belongs_to_one_project(at: Site) -> None:
    upload(at)
    other = permit(KEYS["zed"], project="other", members=(member("zed", KEYS["zed"]),))
    put_project(at.base.store, project_row(other, KEYS["ann"], KEYS["bob"]))
    assert code_of(upload(at, MORE, version=2, who="zed", project="other")) == "query-input-taken"
    assert code_of(upload(at, MORE, version=2, who="zed")) == "project-unknown"


def test_what_is_refused_is_deleted_and_does_not_come_back(at: Site) -> None:
    upload(at)
    refusal = decision(verdict="refuse", reason="It lists wards.")
    assert decide(at, refusal, verdict="refuse").json()["state"] == "refused"
    assert at.base.store.inputs.content(read_table(STROKE, "stroke.csv").sha256) is None
    seen = at.as_user("ada").call("GET", "/v1/inputs/stroke/1").json()
    assert (seen["table"], seen["events"][-1]["text"].endswith("its content was deleted: It lists wards.")) == (
        None,
        True,
    )
    assert code_of(upload(at)) == "query-input-move"
    assert code_of(decide(at, decision())) == "query-input-move"
    assert states(at, "zed") == {}


WRONG: dict[str, Any] = {"verdict": "withdraw", "reason": "It missed I64."}


def test_what_is_withdrawn_is_pinned_no_more_and_can_still_be_read(at: Site) -> None:
    upload(at)
    decide(at, decision())
    pins = (read_table(STROKE, "stroke.csv").pin,)
    office = at.app.state.api.projects.inputs
    assert [table.pin for table in office.approved(pins)] == list(pins)
    reply = decide(at, decision("bob", **WRONG), who="bob", verdict="withdraw")
    assert (reply.json()["state"], reply.json()["approval"]) == ("withdrawn", decision())
    assert refused(office.approved, pins) == "query-input-withdrawn"
    found = at.as_user("zed").call("GET", "/v1/inputs/stroke/1/table").json()
    assert found["table"]["rows"][0][0] == "I60"
    assert found["events"][-1]["text"] == "Bob withdrew it: It missed I64."
    # The signed word is what every node is told.
    (told,) = at.base.store.inputs.withdrawals().values()
    signed, signer = read_decision(told, at.base.rosters.current())
    assert (signed.pin, signed.verdict, signer.person) == (pins[0], "withdraw", "bob")
    assert code_of(decide(at, decision())) == "query-input-move"
    assert code_of(decide(at, decision(**WRONG), verdict="withdraw")) == "query-input-move"
    assert code_of(upload(at)) == "query-input-move"


@pytest.mark.parametrize(
    ("envelope", "who", "code"),
    [
        (lambda: decision(), "ann", "auth-document"),
        (lambda: decision("bob", **WRONG), "ann", "auth-document"),
        (lambda: decision("zed", "ann", **WRONG), "ann", "auth-document"),
        (lambda: decision(table_hash="ab" * 32, **WRONG), "ann", "auth-document"),
        (lambda: decision(decided=NOW - 15 * 86_400, **WRONG), "ann", "auth-document"),
        (lambda: "{}", "ann", "auth-document"),
        # Whoever is signed in but not on the committee does not get so far.
        (lambda: decision(**WRONG), "zed", "query-input-absent"),
    ],
)
def test_an_approved_input_is_withdrawn_by_a_members_signature_and_nothing_else(
    at: Site, envelope: Any, who: str, code: str
) -> None:
    upload(at)
    decide(at, decision())
    assert code_of(decide(at, envelope(), who=who, verdict="withdraw")) == code
    assert states(at, "zed") == {"stroke@1": "approved"}
    assert at.base.store.inputs.withdrawals() == {}


def test_a_member_with_a_part_in_it_may_end_it_and_its_team_takes_back_what_waits(at: Site) -> None:
    upload(at)
    path = "/v1/inputs/stroke/1/retract"
    assert code_of(decide(at, decision(**WRONG), verdict="withdraw")) == "query-input-move"
    assert code_of(at.as_user("ann").call("POST", path, json={"reason": "no"})) == "auth-not-permitted"
    taken = at.as_user("ada").call("POST", path, json={"reason": "The wrong file."}).json()
    assert (taken["state"], taken["approval"]) == ("withdrawn", "")
    assert at.base.store.inputs.content(taken["sha256"]) is None
    assert states(at, "zed") == {}
    assert upload(at, MORE, version=2).status_code == 201
    decide(at, decision(content=MORE, version=2), version=2)
    assert code_of(at.as_user("ada").call("POST", "/v1/inputs/stroke/2/retract", json={"reason": "no"})) == (
        "query-input-move"
    )
    own = decision("second", "ada", content=MORE, version=2, **WRONG)
    assert decide(at, own, who="ada2", verdict="withdraw", version=2).json()["state"] == "withdrawn"


def refused(function: Any, *arguments: Any) -> str:
    with pytest.raises(TrustQueryError) as caught:
        function(*arguments)
    return caught.value.code


@pytest.mark.acceptance("AUZ-05")
@pytest.mark.parametrize(
    ("method", "action"),
    [("GET", ""), ("GET", "/table"), *(("POST", f"/{word}") for word in ("approve", "refuse", "withdraw", "retract"))],
)
def test_an_input_that_is_hidden_looks_like_one_that_is_not_there(at: Site, method: str, action: str) -> None:
    upload(at)
    body = {"reason": "x"} if action == "/retract" else {"envelope": "{}"} if method == "POST" else None
    shown = []
    for name, version in (("stroke", 1), ("absent", 1), ("stroke", 2)):
        reply = at.as_user("zed").call(method, f"/v1/inputs/{name}/{version}{action}", json=body)
        headers = [(key, value) for key, value in reply.headers.multi_items() if key != "date"]
        shown.append((reply.status_code, reply.text.replace(f"{name}@{version}", "NAME"), headers))
    assert shown[0][0] == 404
    assert shown[0] == shown[1] == shown[2]
    assert at.as_user("zed").call("GET", "/v1/inputs").json() == {"inputs": []}


def test_the_content_of_a_withdrawn_input_is_erased_by_age_and_its_record_stays(at: Site) -> None:
    upload(at)
    decide(at, decision())
    assert decide(at, decision("bob", **WRONG), who="bob", verdict="withdraw").json()["state"] == "withdrawn"
    upload(at, MORE, version=2)
    inputs, pin = at.base.store.inputs, read_table(STROKE, "stroke.csv").pin
    settings = RetentionSettings(withdrawn_inputs_days=30)
    for now, there in ((NOW + 30 * DAY - 1, True), (NOW + 30 * DAY, False), (NOW + 31 * DAY, False)):
        Retention(at.base.store, settings, partial(int, now)).tick()
        assert (inputs.content(pin.sha256) is not None) is there
    found = inputs.get("stroke", 1)
    assert found is not None
    assert (found.sha256, found.state, found.approval != b"") == (pin.sha256, "withdrawn", True)
    actions = [(event.action, event.at) for event in inputs.events("stroke") if event.version == 1]
    assert [action for action, _ in actions] == ["upload", "approve", "withdraw", "erase"]
    assert actions[-1][1] == NOW + 30 * DAY
    # The version that nobody withdrew is left alone; of the erased one there is the record without a table.
    assert at.as_user("zed").call("GET", "/v1/inputs/stroke/1/table").json()["table"] is None
    second = inputs.get("stroke", 2)
    assert second is not None
    assert inputs.content(second.sha256) is not None


def test_another_member_signs_anew_when_the_first_has_left(at: Site) -> None:
    upload(at)
    decide(at, decision())
    assert decide(at, decision("bob"), who="bob").json()["approval"] == decision("bob")
    assert len([event for event in at.base.store.inputs.events("stroke") if event.envelope]) == 2


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"content": b"icd\nI60\nx1\n"}, "stroke.csv, line 3"),
        ({"content": b"icd,nhs_number\nI60,1\n"}, "named like an identifier"),
        ({"name": "calendar_day"}, "ships"),
        ({"system": "snomedct"}, "no column is headed"),
    ],
)
def test_the_coordinator_reads_the_file_again_itself(at: Site, changed: dict[str, Any], words: str) -> None:
    reply = upload(at, **changed)
    assert code_of(reply) == "query-input-invalid"
    assert words in reply.text
    assert at.base.store.inputs.everyone() == []


def test_what_is_no_base64_is_refused(at: Site) -> None:
    body = {"project": "stays", "name": "x", "version": 1, "system": "icd10", "file": "x", "content": "%%%"}
    assert "did not come as base64" in at.as_user("ada").call("POST", "/v1/inputs", json=body).text


def test_only_moves_of_the_table_are_possible() -> None:
    listed = {(move.before, move.action): move.after for move in INPUT_MOVES}
    for state in InputState:
        for action in ("approve", "refuse", "withdraw", "retract", "upload"):
            if (state, action) in listed:
                assert input_after(state, action, "x") == listed[state, action]
            else:
                with pytest.raises(TrustQueryError, match="query-input-move"):
                    input_after(state, action, "x")

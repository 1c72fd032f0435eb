"""The HTTPS API without its sockets: who may see what, and that nothing unexpected gets in or out."""

import json
from pathlib import Path
from typing import Any

import pytest

from coordinator.store import AnswerRow, ProjectRow, QueryRow, Store
from tests.factories.documents import NOW, permit
from tests.lib.site import AUTHORITY, ROOT, Site, code_of, open_site, project_row, put_project
from trustquery.catalogue import load
from trustquery.forecast.questions import ProfileQuestion, profile_query, profile_questions
from trustquery.identity import SigningKey
from trustquery.protocol.enrolment import login_message

ADA, EVE, ANN, BOB, NODE = (SigningKey.generate() for _ in range(5))


@pytest.fixture
def site(store: Store, tmp_path: Path) -> Site:
    made = open_site(store, tmp_path, {"ann": ANN, "bob": BOB}, NODE)
    for name, key in (("ada", ADA), ("eve", EVE)):
        store.people.add(name, key.public.hex(), NOW)
    put_project(store, project_row(permit(ADA), ANN, BOB))
    return made


@pytest.fixture
def ada(site: Site) -> Site:
    site.token = site.login("ada", ADA).json()["token"]
    return site


def test_signing_in_gives_a_token_that_works_and_ends(ada: Site) -> None:
    assert ada.call("GET", "/v1/projects").status_code == 200
    assert ada.call("POST", "/v1/logout").status_code == 200
    assert code_of(ada.call("GET", "/v1/projects")) == "auth-required"


def test_the_token_is_stored_as_its_hash_only(ada: Site, tmp_path: Path) -> None:
    assert ada.token.encode() not in (tmp_path / "store.sqlite").read_bytes()


def test_a_stranger_and_a_wrong_key_look_the_same(site: Site) -> None:
    replies = [site.login("ada", EVE), site.login("nobody", EVE), site.login("bob", ADA)]
    assert {(reply.status_code, reply.text) for reply in replies} == {(401, replies[0].text)}
    assert code_of(replies[0]) == "auth-failed"


@pytest.mark.acceptance("TRN-06")
def test_a_challenge_serves_once_and_for_its_own_name(site: Site) -> None:
    kept: dict[str, str] = {}
    assert site.login("ada", ADA, kept.update).status_code == 200
    again = site.call("POST", "/v1/login/challenge", json={"user": "ada"}).json()["challenge"]
    message = login_message("test", site.base.desk.authority_sha256(), "eve", again)
    body = {"user": "eve", "challenge": again, "signature": EVE.sign(message).hex()}
    assert code_of(site.call("POST", "/v1/login", json=body)) == "auth-failed"


def test_a_signature_for_another_federation_or_server_is_refused(site: Site) -> None:
    for federation, authority in (("other", site.base.desk.authority_sha256()), ("test", "0" * 64)):
        challenge = site.call("POST", "/v1/login/challenge", json={"user": "ada"}).json()["challenge"]
        signature = ADA.sign(login_message(federation, authority, "ada", challenge)).hex()
        body = {"user": "ada", "challenge": challenge, "signature": signature}
        assert code_of(site.call("POST", "/v1/login", json=body)) == "auth-failed"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/projects"),
        ("GET", "/v1/projects/stays"),
        ("GET", "/v1/projects/stays/budget"),
        ("GET", "/v1/projects/stays/profiles"),
        ("GET", "/v1/datasets"),
        ("GET", "/v1/datasets/omop-5.4"),
        ("GET", "/v1/queries"),
        ("GET", "/v1/queries/abababab"),
        ("POST", "/v1/queries/abababab/cancel"),
        ("POST", "/v1/queries"),
        ("POST", "/v1/queries/preview"),
        ("POST", "/v1/logout"),
    ],
)
@pytest.mark.parametrize("header", ["", "Bearer x", "Basic abc", "Bearer "])
def test_nothing_is_shown_without_a_session(site: Site, method: str, path: str, header: str) -> None:
    reply = site.call(method, path, headers={"Authorization": header})
    assert reply.status_code == 401
    assert code_of(reply) == "auth-required"


def test_only_members_see_a_project(site: Site) -> None:
    site.token = site.login("eve", EVE).json()["token"]
    assert site.call("GET", "/v1/projects").json() == {"projects": []}
    hidden, absent = site.call("GET", "/v1/projects/stays"), site.call("GET", "/v1/projects/other")
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert hidden.text.replace("stays", "other") == absent.text


def test_a_member_sees_the_signed_documents(ada: Site) -> None:
    found = ada.call("GET", "/v1/projects/stays").json()
    assert found["permit"].encode() == permit(ADA).sign(ANN, BOB).encode()
    assert found["roster"].encode() == ada.base.rosters.envelope
    assert found["connected"] == []
    budget = ada.call("GET", "/v1/projects/stays/budget").json()
    nothing = {"node": "RX1", "name": "Trust RX1", "spent_rho_nano": 0, "answers": 0, "profiles_rho_nano": 0}
    assert budget["trusts"] == [nothing]


# -- profiles ---------------------------------------------------------------------------------------------------------

ROWS = ProfileQuestion("visit_occurrence", "rows")


def answered(site: Site, release_id: str, question: ProfileQuestion | None = ROWS, **changed: Any) -> None:
    """A closed query of eve's for a project of her own, with an answer of RX1's."""
    sha256 = profile_query(question, load("omop-5.4"))[1].sha256 if question is not None else "ff" * 32
    result = {"vector": ["1"], "trusts": [{"node": "RX1", "who": release_id}], "missing": [{"reasons": "hers"}]}
    facts: dict[str, Any] = {
        "release_id": release_id, "user_id": 2, "project": "hers", "dataset": "omop-5.4", "sql": "SELECT",
        "query_hash": sha256, "plan_hash": "ab" * 32, "vector_length": 1, "intent": b"her secret", "permit": b"",
        "model": b"", "nodes": "RX1", "state": "closed", "created": NOW, "closes_at": NOW, "closed": NOW,
        "result": json.dumps(result).encode(),
    }  # fmt: skip
    store = site.base.store
    put_project(store, ProjectRow(name="hers", version=1, permit=b"", permit_hash="", state="live", added=NOW))
    assert store.queries.add(QueryRow(**(facts | changed)))
    answer = AnswerRow(
        release_id=release_id, node="RX1", envelope=b"", vector=b"", status="answer", rho_nano=5, late=False,
        received=NOW,
    )  # fmt: skip
    assert store.queries.add_answer(answer, in_time=("closed",))


def profiles(site: Site, **parameters: Any) -> dict[str, dict[str, Any]]:
    """The listing by query id, of those that have one."""
    found = site.call("GET", "/v1/projects/stays/profiles", params=parameters).json()["profiles"]
    assert [(item["dataset"], item["table"], item["about"], item["column"]) for item in found] == [
        ("omop-5.4", item.table, item.about, item.column) for item in profile_questions(load("omop-5.4"))
    ]
    return {item["query"]: item for item in found if item["query"] is not None}


def test_the_newest_result_of_a_profile_question_is_every_projects(ada: Site) -> None:
    assert profiles(ada) == {}
    answered(ada, "aa" * 32, closed=NOW - 2)
    answered(ada, "bb" * 32, closed=NOW - 1)
    answered(ada, "cc" * 32, state="offered", closed=0, result=None)
    answered(ada, "dd" * 32, state="expired", closed=NOW, result=None)
    answered(ada, "ee" * 32, question=None)
    [(query, item)] = profiles(ada).items()
    assert (query, item["table"], item["about"], item["closed"]) == ("bb" * 32, "visit_occurrence", "rows", NOW - 1)
    assert item["result"] == {"vector": ["1"], "trusts": [{"node": "RX1", "who": "bb" * 32}]}
    assert "her" not in json.dumps(item)


def test_a_result_that_the_client_has_does_not_travel_again(ada: Site) -> None:
    answered(ada, "bb" * 32)
    assert profiles(ada, have=["bb" * 8, "cc" * 8])["bb" * 32]["result"] is None
    assert profiles(ada, have=["cc" * 8])["bb" * 32]["result"] is not None


def test_profiles_are_for_members_of_a_live_project_with_the_dataset(ada: Site) -> None:
    answered(ada, "bb" * 32)
    other = ada.call("GET", "/v1/projects/stays/profiles", params={"dataset": "nhs-episodes"})
    assert code_of(other) == "project-dataset-not-permitted"
    many = ada.call("GET", "/v1/projects/stays/profiles", params={"have": ["a"] * 501})
    assert code_of(many) == "usage-invalid"
    ada.token = ada.login("eve", EVE).json()["token"]
    hidden = ada.call("GET", "/v1/projects/stays/profiles")
    absent = ada.call("GET", "/v1/projects/other/profiles")
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert hidden.text.replace("stays", "other") == absent.text
    ada.token = ada.login("ada", ADA).json()["token"]
    ended = project_row(permit(ADA), ANN, BOB)
    ended.state = "closed"
    put_project(ada.base.store, ended)
    assert code_of(ada.call("GET", "/v1/projects/stays/profiles")) == "project-ended"


def test_profiles_stand_apart_in_a_projects_budget(ada: Site) -> None:
    answered(ada, "bb" * 32, project="stays")
    answered(ada, "cc" * 32, question=None, project="stays")
    [trust] = ada.call("GET", "/v1/projects/stays/budget").json()["trusts"]
    assert (trust["spent_rho_nano"], trust["answers"], trust["profiles_rho_nano"]) == (5, 1, 5)


@pytest.mark.parametrize(
    "body",
    [
        {"user": "ada", "colour": "red"},
        {"user": 1},
        {},
        [],
        {"user": "a" * 65},
        {"user": "a b"},
    ],
)
def test_a_body_with_anything_else_is_refused(site: Site, body: object) -> None:
    reply = site.call("POST", "/v1/login/challenge", json=body)
    assert reply.status_code == 400
    assert code_of(reply) == "usage-invalid"


def test_what_is_not_json_and_what_is_too_large_is_refused(site: Site) -> None:
    headers = {"content-type": "application/json"}
    assert site.call("POST", "/v1/login/challenge", content=b"{", headers=headers).status_code == 400
    large = b'{"user": "' + b"a" * (2 * 1024 * 1024) + b'"}'
    reply = site.call("POST", "/v1/login/challenge", content=large, headers=headers)
    assert reply.status_code == 413
    assert code_of(reply) == "usage-too-large"


def test_unknown_places_and_methods_are_problem_documents(site: Site) -> None:
    assert code_of(site.call("GET", "/nowhere")) == "usage-invalid"
    assert site.call("DELETE", "/v1/queries").status_code == 405
    assert site.call("GET", "/docs").status_code == 404


def test_a_fault_shows_an_incident_and_nothing_else(ada: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("the secret detail")

    monkeypatch.setattr(ada.base.store.projects, "everyone", broken)
    reply = ada.call("GET", "/v1/projects")
    assert reply.status_code == 500
    assert code_of(reply) == "internal-fault"
    assert "secret" not in reply.text


def test_too_many_attempts_to_sign_in_are_slowed(site: Site) -> None:
    replies = [site.call("POST", "/v1/login/challenge", json={"user": "ada"}) for _ in range(101)]
    assert [reply.status_code for reply in replies[:100]] == [200] * 100
    assert code_of(replies[100]) == "node-rate"


def test_the_anchor_needs_no_sign_in(site: Site) -> None:
    found = site.call("GET", "/v1/enrolment/anchor").json()
    assert found["root"].encode() == ROOT.payload()
    assert found["ca_pem"].encode() == AUTHORITY.certificate_pem
    assert found["grpc_address"] == "localhost:8444"


def test_an_enrolment_is_shown_to_the_holder_of_its_code_only(site: Site) -> None:
    reply = site.call("GET", "/v1/enrolment/RX1", headers={"Authorization": "Bearer tqe1.RX1.x"})
    assert reply.status_code == 403
    assert code_of(reply) == "node-code-invalid"
    assert code_of(site.call("GET", "/v1/enrolment/RX1")) == "auth-required"


def test_a_preview_without_nodes_says_so(ada: Site) -> None:
    from decimal import Decimal

    from trustquery.catalogue import load
    from trustquery.language import compile_query

    model = compile_query("SELECT count(*) FROM person", load("omop-5.4"), epsilon=Decimal(1)).payload().decode()
    reply = ada.call("POST", "/v1/queries/preview", json={"project": "stays", "model": model})
    assert reply.json()["trusts"] == [
        {"node": "RX1", "name": "Trust RX1", "connected": False, "accepted": None, "reasons": [], "shares": []}
    ]
    bad = ada.call("POST", "/v1/queries/preview", json={"project": "stays", "model": "{}"})
    assert code_of(bad) == "query-model-invalid"

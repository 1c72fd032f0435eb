"""A released profile is believed as far as the trusts signed it, whoever serves it and wherever it is kept."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.factories.documents import node_entry, permit, person, roster
from trustquery.catalogue import load
from trustquery.client.config import ClientHome
from trustquery.client.profiles import ProfileIgnoredWarning, ReleasedProfile, fetch_profiles, read_released
from trustquery.client.project import Project
from trustquery.errors import TrustQueryError
from trustquery.forecast.questions import PROFILE_EPSILON, ProfileQuestion, profile_query, profile_questions
from trustquery.identity import Answer, SigningKey
from trustquery.planning import compile_plan

CATALOGUE = load("omop-5.4")
ROWS = ProfileQuestion("visit_occurrence", "rows")
DAYS = ProfileQuestion("visit_occurrence", "distinct", "visit_start_date")
ADA = SigningKey.generate()
KEYS = {ods: SigningKey.generate() for ods in ("RX1", "RX2", "RX3")}
ROSTER = roster(
    tuple(node_entry(ods, key) for ods, key in KEYS.items()),
    (person("ann", SigningKey.generate()), person("bob", SigningKey.generate())),
)
RELEASE = "ab" * 32
Item = dict[str, Any]


def answered(ods: str, question: ProfileQuestion = ROWS, *, key: SigningKey | None = None, **changed: Any) -> Item:
    """A trust's answer: 1,000 in the first bin and nobody in the others."""
    _, model = profile_query(question, CATALOGUE)
    plan = compile_plan(model, CATALOGUE)
    vector = struct.pack(f"<{plan.length}q", 1_000, *[0] * (plan.length - 1))
    fields: dict[str, Any] = {
        "federation": "test", "release_id": RELEASE, "query_hash": model.sha256, "plan_hash": plan.sha256,
        "node": ods, "data_version": 3, "policy_hash": "", "mode": "local", "status": "answer",
        "vector_sha256": hashlib.sha256(vector).hexdigest(), "vector_length": plan.length, "rho_nano": plan.rho_nano,
        "ledger_seq": 1, "reasons": (),
    }  # fmt: skip
    envelope = Answer(**(fields | changed)).sign(key or KEYS[ods]).encode().decode()
    return {"node": ods, "name": ods, "envelope": envelope, "vector": base64.b64encode(vector).decode()}


def result(*items: Item, total: int | None = None, question: ProfileQuestion = ROWS) -> Item:
    length = compile_plan(profile_query(question, CATALOGUE)[1], CATALOGUE).length
    people = 1_000 * len(items) if total is None else total
    return {"vector": [str(people), *["0"] * (length - 1)], "trusts": list(items)}


GOOD = result(answered("RX1"), answered("RX2"))


def read(found: Any, question: ProfileQuestion = ROWS) -> ReleasedProfile:
    return read_released(question, RELEASE, 7, found, CATALOGUE, ROSTER, 2)


def test_an_honest_profile_is_read() -> None:
    found = read(GOOD)
    assert (found.trusts, found.data_versions, found.closed, found.query) == (("RX1", "RX2"), (3, 3), 7, RELEASE)
    assert found.merged[:2] == (2_000, 0)
    assert found.distribution.size == pytest.approx(1_000)
    assert found.distribution.at(0.5) <= 1


LIES: dict[str, Any] = {
    "another sum": result(answered("RX1"), answered("RX2"), total=1_999),
    "a trust left out of the sum": result(answered("RX1"), answered("RX2"), answered("RX3"), total=2_000),
    "too few trusts": result(answered("RX1")),
    "one trust twice": result(answered("RX1"), answered("RX1")),
    "nobody's signature": result(answered("RX1"), answered("RX2", key=ADA)),
    "a trust that is not on the roster": result(answered("RX1"), answered("RX2") | {"node": "RX9"}),
    "another query's answers": result(answered("RX1", DAYS), answered("RX2", DAYS), question=DAYS),
    "another release's answer": result(answered("RX1"), answered("RX2", release_id="cd" * 32)),
    "another plan": result(answered("RX1"), answered("RX2", plan_hash="cd" * 32)),
    "another federation": result(answered("RX1"), answered("RX2", federation="other")),
    "another charge": result(answered("RX1"), answered("RX2", rho_nano=10**9)),
    "a refusal as an answer": result(
        answered("RX1"),
        answered("RX2", status="no-answer", vector_sha256="", vector_length=0),
    ),
    "a vector that nobody signed": result(
        answered("RX1"), answered("RX2") | {"vector": base64.b64encode(bytes(8 * 21)).decode()}
    ),
    "a vector that is not shown": result(answered("RX1"), answered("RX2") | {"vector": None}),
    "no vector": {"vector": None, "trusts": [answered("RX1"), answered("RX2")]},
    "no base64": result(answered("RX1"), answered("RX2") | {"vector": "!"}),
    "a word": "released",
    "nothing": {},
    "null": None,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_profile_that_the_trusts_did_not_sign_is_not_believed(lie: str) -> None:
    with pytest.raises(TrustQueryError) as caught:
        read(LIES[lie])
    assert caught.value.code == "auth-document"


def test_a_result_of_another_question_is_not_taken_for_this_one() -> None:
    assert read(result(answered("RX1", DAYS), answered("RX2", DAYS), question=DAYS), DAYS).trusts
    with pytest.raises(TrustQueryError) as caught:
        read(GOOD, DAYS)
    assert caught.value.code == "auth-document"


# -- fetching and keeping ---------------------------------------------------------------------------------------------


@dataclass
class Site:
    """A coordinator that serves what it is told to, and an analyst's home."""

    home: ClientHome
    served: dict[ProfileQuestion, tuple[str, Any]] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        assert path == "/v1/projects/stays/profiles"
        self.asked.append(parameters)
        return {"profiles": [self._item(question, parameters["have"]) for question in profile_questions(CATALOGUE)]}

    def _item(self, question: ProfileQuestion, have: list[str]) -> dict[str, Any]:
        query, found = self.served.get(question, (None, None))
        return {
            "dataset": "omop-5.4", "table": question.table, "about": question.about, "column": question.column,
            "query_hash": "", "query": query, "closed": 7,
            "result": None if query is not None and query[:16] in have else found,
        }  # fmt: skip

    @property
    def project(self) -> Project:
        connection = SimpleNamespace(home=self.home, http=self, dataset=lambda name: load(name))
        return Project(cast(Any, connection), permit(ADA), ROSTER, "live", ())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(ClientHome(tmp_path), {ROWS: (RELEASE, GOOD)})


def kept(site: Site) -> list[Path]:
    return sorted(site.home.profiles.rglob("*.json"))


def test_profiles_are_read_and_the_rest_is_none(site: Site) -> None:
    found = site.project.profiles("omop-5.4")
    known = found.get("visit_occurrence", "rows")
    assert known is not None
    assert known.size == pytest.approx(1_000)
    assert found.get("visit_occurrence", "distinct", "visit_start_date") is None


def test_what_is_kept_does_not_travel_again_and_is_verified_again(site: Site) -> None:
    first = fetch_profiles(site.project, "omop-5.4")
    [path] = kept(site)
    assert (path.stem, path.stat().st_mode & 0o777) == (RELEASE, 0o600)
    assert fetch_profiles(site.project, "omop-5.4") == first
    assert [parameters["have"] for parameters in site.asked] == [[], [RELEASE[:16]]]
    path.write_text(json.dumps(result(answered("RX1"), answered("RX2"), total=5)))
    spoilt = fetch_profiles(site.project, "omop-5.4")
    assert (list(spoilt.ignored), spoilt.released) == ([ROWS], {})
    assert kept(site) == []
    assert fetch_profiles(site.project, "omop-5.4") == first


def test_a_newer_release_takes_the_place_of_the_kept_one(site: Site) -> None:
    fetch_profiles(site.project, "omop-5.4")
    newer = "cd" * 32
    site.served[ROWS] = (newer, result(*(answered(ods, release_id=newer) for ods in KEYS)))
    found = fetch_profiles(site.project, "omop-5.4")
    assert found.released[ROWS].trusts == tuple(KEYS)
    assert [path.stem for path in kept(site)] == [newer]


def test_a_profile_that_does_not_verify_is_left_out_with_a_warning(site: Site) -> None:
    site.served[ROWS] = (RELEASE, LIES["another query's answers"])
    with pytest.warns(ProfileIgnoredWarning) as caught:
        found = site.project.profiles()
    assert found.get("visit_occurrence", "rows") is None
    warning = caught[0].message
    assert isinstance(warning, ProfileIgnoredWarning)
    assert (warning.question, warning.problem.code) == (ROWS, "auth-document")
    assert kept(site) == []


def test_a_coordinator_cannot_write_outside_the_folder_or_invent_a_question(site: Site) -> None:
    site.served[ROWS] = ("../../key", GOOD)
    with pytest.warns(ProfileIgnoredWarning):
        site.project.profiles()
    assert not list(site.home.path.rglob("*.json"))
    site.served = {}
    site._item = lambda question, have: {  # type: ignore[method-assign]
        "table": "person", "about": "secrets", "column": "", "query": RELEASE, "closed": 7, "result": GOOD
    }  # fmt: skip
    assert site.project.profiles().found == {}


def test_a_profile_question_is_asked_on_the_very_terms_that_make_it_one(site: Site) -> None:
    query = site.project.ask_profile(ROWS)
    sql, model = profile_query(ROWS, CATALOGUE)
    assert (query.question.sql, query.model, query.question.epsilon, query.fresh) == (
        sql,
        model,
        PROFILE_EPSILON,
        False,
    )
    assert query.plan == compile_plan(model, CATALOGUE)


@pytest.mark.parametrize(
    "question",
    [ProfileQuestion("visit_occurrence", "total", "person_id"), ProfileQuestion("nowhere", "rows")],
)
def test_a_question_that_is_none_is_refused(site: Site, question: ProfileQuestion) -> None:
    with pytest.raises(TrustQueryError) as caught:
        site.project.ask_profile(question)
    assert caught.value.code == "usage-invalid"
    with pytest.raises(TrustQueryError) as caught:
        site.project.profiles("nhs-episodes")
    assert caught.value.code == "project-dataset-not-permitted"

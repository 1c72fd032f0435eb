"""Approving nodes over the API: two people who are signed in, each with a yes of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coordinator.store import Store
from tests.factories.documents import NOW
from tests.lib.approvals import OPERATORS, add_operators
from tests.lib.site import Site, code_of, open_site
from trustquery.access import Held, Role
from trustquery.identity import SigningKey
from trustquery.identity.admission import Admission
from trustquery.identity.certificates import certificate_request, new_tls_key
from trustquery.protocol.enrolment import EnrolmentCode, proof_message


@pytest.fixture
def site(store: Store, tmp_path: Path) -> Site:
    """A coordinator where RX9 waits."""
    found = open_site(store, tmp_path, {name: SigningKey.generate() for name in ("ann", "bob")}, SigningKey.generate())
    add_operators(store, NOW)
    desk, key, request = found.base.desk, SigningKey.generate(), certificate_request(new_tls_key(), "any")
    code = desk.invite("RX9", "Trust", 900)
    proof = key.sign(proof_message(EnrolmentCode.parse(code), key.public, request)).hex()
    desk.enrol(code, ods="RX9", name="Trust", identity_key=key.public.hex(), request_pem=request.decode(), proof=proof)
    return found


def waiting(site: Site, who: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.as_user(who).call("GET", "/v1/nodes/waiting").json()
    return found


def yes(site: Site, who: str, signer: str = "", path: str = "RX9") -> Any:
    (item,) = waiting(site, who)
    document = Admission(federation="test", node=item["node"], act=item["act"], about=item["about"], decided=NOW)
    envelope = document.sign(OPERATORS[signer or who]).encode().decode()
    return site.as_user(who).call("POST", f"/v1/nodes/{path}/approvals", json={"envelope": envelope})


def test_two_people_admit_a_node_from_their_own_machines(site: Site) -> None:
    (item,) = waiting(site, "olive")
    row = site.base.store.nodes.get("RX9")
    assert row is not None
    assert (item["act"], item["words"], item["approved_by"]) == ("admit", row.words, [])
    first = yes(site, "olive")
    assert (first.status_code, first.json()) == (201, {"node": "RX9", "still_needed": 1})
    assert waiting(site, "oscar")[0]["approved_by"] == ["olive"]
    assert code_of(yes(site, "olive")) == "node-one-person"
    assert yes(site, "oscar").json() == {"node": "RX9", "still_needed": 0}
    assert waiting(site, "olive") == []
    row = site.base.store.nodes.get("RX9")
    assert row is not None
    assert row.status == "approved"


def test_nobody_hands_in_anothers_yes_or_one_for_another_node(site: Site) -> None:
    assert code_of(yes(site, "olive", signer="oscar")) == "auth-not-permitted"
    assert code_of(yes(site, "olive", path="RX8")) == "auth-document"
    assert waiting(site, "olive")[0]["approved_by"] == []


def test_a_role_that_decides_or_asks_does_not_approve_nodes(site: Site) -> None:
    for role in (Role.AUDITOR, Role.COMMITTEE_MEMBER, Role.ANALYST):
        name = role.value.replace(" ", "-")
        site.base.store.people.add(name, SigningKey.generate().public.hex(), NOW, held={Held(role)})
        assert code_of(site.as_user(name).call("GET", "/v1/nodes/waiting")) == "auth-not-permitted"

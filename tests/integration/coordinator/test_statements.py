"""Statements, next roots and what is due at the coordinator: it believes nothing that the root did not delegate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from coordinator.due import due_of
from coordinator.rosters import Rosters
from coordinator.statements import Statements
from coordinator.store import NodeRow, Store
from coordinator.store.models import CertificateRow
from tests.factories.documents import NOW, STATEMENT, node_entry, permit, person, root, roster
from tests.lib.refusals import code_of
from tests.lib.site import HOLDERS, Site, open_site, project_row, put_project
from trustquery.identity import Revocations, Revoked, SigningKey
from trustquery.identity.rotation import successor_of

ROOT = root(*HOLDERS)
ANN, BOB, NODE, ADA, NEW = (SigningKey.generate() for _ in range(5))
COMMITTEE = (person("ann", ANN), person("bob", BOB))
DAY = 86_400


def revoked_key(key: SigningKey) -> Revoked:
    return Revoked(kind="key", id=key.public.hex(), until=0)


def said(*revoked: Revoked, signer: SigningKey = STATEMENT, **changed: Any) -> bytes:
    facts: dict[str, Any] = {"federation": "test", "version": 1, "issued": NOW - 60, "expires": NOW + 7 * DAY}
    things = tuple(sorted(revoked, key=lambda item: (item.kind, item.id)))
    return Revocations(**(facts | {"revoked": things} | changed)).sign(signer).encode()


def rostered(*signers: SigningKey, **changed: Any) -> bytes:
    return roster((node_entry("RX1", NODE),), COMMITTEE, **changed).sign(*signers or HOLDERS[:2]).encode()


@pytest.fixture
def rosters(store: Store) -> Rosters:
    found = Rosters(store, ROOT)
    found.install(rostered(), NOW)
    return found


def test_before_the_first_nothing_is_revoked_and_a_roster_comes_first(store: Store) -> None:
    statements = Statements(store, Rosters(store, ROOT))
    assert (statements.envelope, statements.found(), statements.revokes_key("0" * 64)) == (b"", None, False)
    assert code_of(statements.install, said(), NOW) == "config-missing"


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "by the coordinator": (lambda: said(version=3, signer=NODE), "auth-document"),
    "by a root holder": (lambda: said(version=3, signer=HOLDERS[0]), "auth-document"),
    "of another federation": (lambda: said(revoked_key(ADA), version=3, federation="other"), "auth-document"),
    "that forgets": (lambda: said(version=3), "auth-document"),
    "issued before the one before": (lambda: said(revoked_key(ADA), version=3, issued=NOW - 61), "auth-document"),
    "of the same version": (lambda: said(revoked_key(ADA), revoked_key(BOB), version=2), "policy-document-stale"),
    "of an earlier version": (lambda: said(revoked_key(ADA)), "policy-document-stale"),
    "of tomorrow": (lambda: said(revoked_key(ADA), version=3, issued=NOW + 301), "policy-document-stale"),
    "that has ended": (lambda: said(revoked_key(ADA), version=3, expires=NOW), "policy-document-stale"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_statement_that_is_not_the_next_is_refused(store: Store, rosters: Rosters, what: str) -> None:
    statements = Statements(store, rosters)
    statements.install(said(revoked_key(ADA), version=2), NOW)
    make, code = BAD[what]
    assert code_of(statements.install, make(), NOW) == code
    other = Statements(store, rosters)
    other.refresh()
    assert other.found() == Revocations.read(said(revoked_key(ADA), version=2))
    assert (other.revokes_key(ADA.public.hex()), other.revokes_key(BOB.public.hex())) == (True, False)


def test_a_delegate_whom_the_root_leaves_off_binds_nobody(store: Store, rosters: Rosters) -> None:
    statements = Statements(store, rosters)
    statements.install(said(revoked_key(ADA), version=2**50), NOW)
    rosters.install(rostered(version=2, statement_keys=(NEW.public.hex(),)), NOW)
    statements.refresh()
    assert (statements.found(), statements.envelope) == (None, b"")
    assert code_of(statements.install, said(version=2**50 + 1), NOW) == "auth-document"
    statements.install(said(signer=NEW), NOW)
    assert statements.found() == Revocations.read(said(signer=NEW))


def test_a_next_root_comes_with_a_roster_that_it_signed(store: Store, rosters: Rosters) -> None:
    keys = (*ROOT.keys[1:], NEW.public.hex())
    second = successor_of(ROOT, keys, 2)
    signed = second.sign(HOLDERS[1], HOLDERS[2], NEW).encode()
    too_few = second.sign(HOLDERS[1], NEW).encode()
    after = rostered(HOLDERS[2], NEW, version=2)
    assert code_of(rosters.install_root, too_few, after, NOW) == "auth-document"
    assert code_of(rosters.install_root, signed, rostered(version=2), NOW) == "auth-document"
    assert code_of(rosters.install_root, signed, rostered(HOLDERS[2], NEW), NOW) == "policy-document-stale"
    assert (rosters.root, rosters.current().version) == (ROOT, 1)
    assert rosters.install_root(signed, after, NOW) == second
    assert (rosters.root, rosters.chain, rosters.current().version) == (second, (signed,), 2)
    assert code_of(rosters.install, rostered(version=3), NOW) == "auth-document"
    other = Rosters(store, ROOT)
    assert other.refresh()
    assert (other.root, other.current().version) == (second, 2)


@pytest.fixture
def site(store: Store, tmp_path: Any) -> Site:
    return open_site(store, tmp_path, {"ann": ANN, "bob": BOB}, NODE)


def test_a_revoked_key_does_not_sign_in_and_its_session_ends(site: Site) -> None:
    for name, key in (("ada", ADA), ("eve", NEW)):
        site.base.store.people.add(name, key.public.hex(), NOW)
    assert site.login("ada", ADA).status_code == 200
    ada, eve = site.as_user("ada"), site.as_user("eve")
    assert ada.call("GET", "/v1/projects").status_code == 200
    site.base.statements.install(said(revoked_key(ADA)), NOW)
    assert ada.call("GET", "/v1/projects").json()["problems"][0]["code"] == "auth-required"
    assert site.login("ada", ADA).json()["problems"][0]["code"] == "auth-failed"
    assert eve.call("GET", "/v1/projects").status_code == 200
    assert site.login("eve", NEW).status_code == 200


def test_clients_are_given_what_the_federation_says(site: Site) -> None:
    site.base.store.people.add("ada", ADA.public.hex(), NOW)
    put_project(site.base.store, project_row(permit(ADA), ANN, BOB))
    site.base.statements.install(said(), NOW)
    found = site.as_user("ada").call("GET", "/v1/projects/stays").json()
    assert (found["roots"], found["revocations"].encode()) == ([], said())


def test_what_is_due_is_listed_until_a_statement_has_it(site: Site) -> None:
    store, given = site.base.store, permit(ADA)
    store.people.add("ada", ADA.public.hex(), NOW)
    store.people.add("eve", NEW.public.hex(), NOW)
    store.people.disable("ada")
    with store.transaction() as session:
        for ods, key, status in (("RX1", NODE, "approved"), ("RX2", BOB, "revoked")):
            session.add(
                NodeRow(
                    ods=ods, name=ods, identity_key=key.public.hex(), request_pem="", tls_key_sha256="0" * 64,
                    status=status, words="", enrolled=NOW, serial="a5", certificate_pem="", last_seen=0,
                )
            )  # fmt: skip
    store.admissions.issued("RX2", "a4", NOW, NOW - DAY, anew=True)
    store.admissions.renewed("RX1", "0" * 64, "", "c1", NOW + DAY, NOW - DAY)
    with store.transaction() as session:
        session.add(CertificateRow(serial="a5", ods="RX2", expires=NOW + 5))
    row = project_row(given, ANN, BOB)
    row.state = "suspended"
    put_project(store, row)
    due = due_of(site.base, NOW)
    assert [(item.kind, item.id, item.until) for item in due] == [
        ("permit", given.sha256, given.expires),
        ("key", BOB.public.hex(), 0),
        # The one before it has ended by itself.
        ("certificate", "a5", NOW + 5),
        ("key", ADA.public.hex(), 0),
    ]
    assert [item.why for item in due] == [
        "project stays is suspended", "node RX2 was revoked", "node RX2 was revoked", "account ada was disabled",
    ]  # fmt: skip
    things = [Revoked(kind=item.kind, id=item.id, until=item.until) for item in due[:3]]
    site.base.statements.install(said(*things), NOW)
    assert [item.why for item in due_of(site.base, NOW)] == ["account ada was disabled"]


def test_a_certificate_that_has_ended_is_not_due_any_more(site: Site) -> None:
    with site.base.store.transaction() as session:
        session.add(
            NodeRow(
                ods="RX2", name="RX2", identity_key=BOB.public.hex(), request_pem="", tls_key_sha256="0" * 64,
                status="revoked", words="", enrolled=NOW, serial="a5", certificate_pem="", last_seen=0,
            )
        )  # fmt: skip
        session.add(CertificateRow(serial="a5", ods="RX2", expires=NOW + 5))
    assert [item.kind for item in due_of(site.base, NOW + 4)] == ["key", "certificate"]
    assert [item.kind for item in due_of(site.base, NOW + 5)] == ["key"]

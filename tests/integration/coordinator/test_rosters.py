"""Rosters: drafted from approved nodes, believed only as the root signed them, never backwards."""

import pytest

from coordinator.rosters import Rosters, draft, verify_roster
from coordinator.store import NodeRow, Store
from tests.factories.documents import NOW, node_entry, person, root, roster
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey

HOLDERS = [SigningKey.generate() for _ in range(3)]
ROOT = root(*HOLDERS)
ANN, BOB, NODE = (SigningKey.generate() for _ in range(3))
COMMITTEE = (person("ann", ANN), person("bob", BOB))


def row(ods: str, status: str, key: SigningKey) -> NodeRow:
    return NodeRow(
        ods=ods, name="Trust", identity_key=key.public.hex(), request_pem="", tls_key_sha256="0" * 64, status=status,
        words="", enrolled=NOW,
    )  # fmt: skip


def test_a_draft_lists_approved_nodes_and_counts_up() -> None:
    rows = [row("RX1", "approved", NODE), row("RX2", "pending", ANN), row("RX3", "revoked", BOB)]
    first = draft(ROOT, None, rows, COMMITTEE, (BOB.public.hex(),), ANN.public, NOW)
    assert [node.node for node in first.nodes] == ["RX1"]
    assert (first.version, first.expires - first.issued) == (1, 30 * 86_400)
    assert draft(ROOT, first, rows, COMMITTEE, (BOB.public.hex(),), ANN.public, NOW).version == 2


@pytest.mark.parametrize(
    ("signers", "changed", "code"),
    [
        (HOLDERS[:1], {}, "auth-document"),
        ([HOLDERS[0], SigningKey.generate()], {}, "auth-document"),
        (HOLDERS[:2], {"federation": "other"}, "auth-document"),
        (HOLDERS[:2], {"issued": NOW - 10, "expires": NOW}, "policy-document-stale"),
        (HOLDERS[:2], {"issued": NOW + 301}, "policy-document-stale"),
    ],
)
def test_a_roster_needs_the_root_and_its_time(signers: list[SigningKey], changed: dict[str, object], code: str) -> None:
    envelope = roster((node_entry("RX1", NODE),), COMMITTEE, **changed).sign(*signers).encode()
    with pytest.raises(TrustQueryError) as caught:
        verify_roster(envelope, ROOT, NOW)
    assert caught.value.code == code


def test_what_is_installed_is_in_force_and_never_goes_back(store: Store) -> None:
    rosters = Rosters(store, ROOT)
    with pytest.raises(TrustQueryError):
        rosters.current()
    first, second = (roster((node_entry("RX1", NODE),), COMMITTEE, version=number) for number in (1, 2))
    rosters.install(second.sign(*HOLDERS[:2]).encode(), NOW)
    assert rosters.current() == second
    with pytest.raises(TrustQueryError) as caught:
        rosters.install(first.sign(*HOLDERS[:2]).encode(), NOW)
    assert caught.value.code == "policy-document-stale"
    other = Rosters(store, ROOT)
    assert other.refresh()
    assert not other.refresh()
    assert other.current() == second


def test_a_roster_changed_in_the_database_is_not_believed(store: Store) -> None:
    rosters = Rosters(store, ROOT)
    rosters.install(roster((node_entry("RX1", NODE),), COMMITTEE).sign(*HOLDERS[:2]).encode(), NOW)
    forged = roster((), COMMITTEE, version=2).sign(SigningKey.generate()).encode()
    from coordinator.store.models import DocumentRow

    store.nodes.install(DocumentRow(kind="roster", version=2, sha256="0" * 64, envelope=forged, installed=NOW))
    with pytest.raises(TrustQueryError) as caught:
        rosters.refresh()
    assert caught.value.code == "auth-document"
    assert rosters.current().version == 1

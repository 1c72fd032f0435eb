"""Tree, proofs, leaves, checkpoints."""

from __future__ import annotations

import base64
import json

import pytest

from tests.factories.reservations import print_of
from tests.factories.trust import key
from trustquery.errors import TrustQueryError
from trustquery.identity import canonical
from trustquery.log import (
    EMPTY_ROOT,
    FIRST_PREV_HASH,
    Checkpoint,
    Leaf,
    Tree,
    commitment,
    leaf_hash,
    node_origin,
    verify_consistency,
    verify_inclusion,
)

# The test vectors of the Certificate Transparency reference implementation.
ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = range(18)


def tree(size: int) -> Tree:
    return Tree(leaf_hash(bytes([place])) for place in range(size))


def test_the_roots_of_the_reference_vectors() -> None:
    found = Tree(leaf_hash(bytes.fromhex(entry)) for entry in ENTRIES)
    assert [found.root(size).hex() for size in range(9)] == ROOTS
    assert Tree().root() == EMPTY_ROOT


def test_a_root_does_not_depend_on_what_was_appended_later() -> None:
    whole = tree(40)
    assert all(whole.root(size) == tree(size).root() for size in range(41))


@pytest.mark.parametrize("size", SIZES)
def test_every_leaf_is_proved_included_and_no_other(size: int) -> None:
    found = tree(20)
    for place in range(size):
        proof = found.inclusion_proof(place, size)
        leaf = leaf_hash(bytes([place]))
        verify_inclusion(leaf, place, size, proof, found.root(size))
        wrong = [
            (leaf_hash(b"other"), place, size, proof),
            (leaf, place, size, (*proof, leaf)),
            (leaf, (place + 1) % (size + 1), size, proof),
            (leaf, size, size, proof),
            (leaf, -1, size, proof),
        ]
        wrong += [(leaf, place, size, proof[:-1])] if proof else []
        for case in wrong:
            with pytest.raises(TrustQueryError):
                verify_inclusion(*case, root=found.root(size))


@pytest.mark.parametrize("size", SIZES)
def test_every_earlier_tree_is_proved_consistent_and_no_other(size: int) -> None:
    found = tree(20)
    for old in range(size + 1):
        proof = found.consistency_proof(old, size)
        verify_consistency(old, found.root(old), size, found.root(size), proof)
        with pytest.raises(TrustQueryError):
            verify_consistency(old, leaf_hash(b"fork"), size, found.root(size), proof)
        if 0 < old < size:
            for bad in ((*proof, EMPTY_ROOT), proof[:-1], proof[::-1] if proof != proof[::-1] else ()):
                with pytest.raises(TrustQueryError):
                    verify_consistency(old, found.root(old), size, found.root(size), bad)
            with pytest.raises(TrustQueryError):
                verify_consistency(size, found.root(size), old, found.root(old), proof)


def test_positions_outside_the_tree() -> None:
    for action in (
        lambda: tree(3).root(4),
        lambda: tree(3).inclusion_proof(3),
        lambda: tree(3).consistency_proof(4),
        lambda: tree(3).consistency_proof(-1),
    ):
        with pytest.raises(ValueError, match="no such"):
            action()


def leaf(**changes: object) -> Leaf:
    return Leaf(**({"seq": 1, "prev_hash": FIRST_PREV_HASH, "kind": "reserved"} | changes))  # type: ignore[arg-type]


def test_a_leaf_has_exactly_the_fields_of_the_format() -> None:
    assert sorted(json.loads(leaf().payload())) == [
        "analyst_commitment", "data_version", "dataset_commitments", "delta_atto", "intent_hash", "kind", "mode",
        "outbox_hash", "planned_slot", "policy_hash", "prev_hash", "project_commitment", "release_id",
        "rho_local_nano", "rho_sum_nano", "seq",
    ]  # fmt: skip


def test_a_leaf_round_trips_and_nothing_else_reads_as_one() -> None:
    found = leaf(delta_atto=10**18, dataset_commitments=(print_of("d"),), rho_local_nano=5)
    assert Leaf.from_payload(found.payload()) == found
    data = json.loads(found.payload())
    for change in ({"extra": 1}, {"kind": "other"}, {"seq": 0}, {"rho_sum_nano": -1}, {"release_id": "x"}):
        with pytest.raises(TrustQueryError):
            Leaf.from_payload(canonical.encode({**data, **change}))
    with pytest.raises(TrustQueryError):
        Leaf.from_payload(found.payload() + b" ")


def test_commitments_are_stable_for_one_salt_and_differ_between_scopes() -> None:
    assert commitment(b"s", "project", "x") == commitment(b"s", "project", "x")
    others = {
        commitment(b"s", "project", "x"),
        commitment(b"t", "project", "x"),
        commitment(b"s", "analyst", "x"),
        commitment(b"s", "project", "y"),
    }
    assert len(others) == 4


ORIGIN = node_origin("demo", "RX1")


def test_a_checkpoint_is_a_signed_note() -> None:
    note = Checkpoint(ORIGIN, 8, bytes.fromhex(ROOTS[8])).sign(key("ash"))
    text, _, signature = note.decode().partition("\n\n")
    assert text.split("\n") == ["demo/node/RX1", "8", base64.b64encode(bytes.fromhex(ROOTS[8])).decode()]
    assert signature.startswith("— demo/node/RX1 ")
    assert signature.endswith("\n")
    assert Checkpoint.verify(note, ORIGIN, key("ash").public).size == 8


def test_a_cosignature_of_somebody_else_does_not_disturb() -> None:
    note = Checkpoint(ORIGIN, 1, bytes(32)).sign(key("ash"))
    other = base64.b64encode(b"1234" + bytes(64)).decode()
    assert Checkpoint.verify(note + f"— witness/one {other}\n".encode(), ORIGIN, key("ash").public).size == 1


@pytest.mark.parametrize("place", range(0, 170, 7))
def test_no_byte_of_a_checkpoint_can_be_changed(place: int) -> None:
    note = bytearray(Checkpoint(ORIGIN, 123, bytes(range(32))).sign(key("ash")))
    note[place] ^= 1
    with pytest.raises(TrustQueryError) as caught:
        Checkpoint.verify(bytes(note), ORIGIN, key("ash").public)
    assert caught.value.code == "auth-document"


def test_a_checkpoint_of_another_log_or_key() -> None:
    note = Checkpoint(ORIGIN, 1, bytes(32)).sign(key("ash"))
    for origin, signer in ((node_origin("demo", "RX2"), "ash"), (ORIGIN, "birch")):
        with pytest.raises(TrustQueryError):
            Checkpoint.verify(note, origin, key(signer).public)
    for broken in (
        b"",
        b"\n\n",
        note.partition(b"\n\n")[0] + b"\n\n",
        note.replace(b"\n1\n", b"\n01\n"),
        b"\xff" + note,
    ):
        with pytest.raises(TrustQueryError):
            Checkpoint.verify(broken, ORIGIN, key("ash").public)

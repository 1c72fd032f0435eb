"""DSSE envelopes: what a signature covers, whose count, and what is refused whole."""

import base64
import json

import pytest

from tests.factories.documents import permit, root
from tests.lib.refusals import code_of
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, Permit, Root, SigningKey
from trustquery.identity.envelope import payload_type, sign

ADA, BOB, EVE = (SigningKey.generate() for _ in range(3))
RING = {key.key_id: key.public for key in (ADA, BOB)}
PAYLOAD = b'{"a":1}'


def test_the_signed_bytes_are_those_of_dsse() -> None:
    """The DSSE v1.0 pre-authentication encoding, written out."""
    envelope = sign("permit", PAYLOAD, [ADA])
    tag = b"application/vnd.trustquery.permit.v2+json"
    assert envelope.signatures == (
        (ADA.key_id, ADA.sign(b"DSSEv1 " + str(len(tag)).encode() + b" " + tag + b" 7 " + PAYLOAD)),
    )


def test_a_signature_for_one_kind_never_serves_another() -> None:
    made = sign("permit", PAYLOAD, [ADA])
    with pytest.raises(TrustQueryError, match="a signature is wrong"):
        Envelope("roster", made.payload, made.signatures).signers(RING)


def test_an_envelope_is_read_only_as_its_own_kind() -> None:
    data = sign("permit", PAYLOAD, [ADA]).encode()
    assert Envelope.decode(data, kind="permit").signers(RING) == {ADA.key_id}
    assert code_of(lambda: Envelope.decode(data, kind="roster")) == "auth-document"


@pytest.mark.parametrize(
    ("signers", "threshold", "accepted"),
    [
        ([ADA], 1, True),
        ([ADA], 2, False),
        ([ADA, BOB], 2, True),
        ([ADA, BOB], 3, False),
        ([ADA, EVE], 2, False),
        ([EVE], 1, False),
        ([], 1, False),
        ([ADA], 0, False),
        ([ADA], -1, False),
    ],
)
def test_a_threshold_counts_listed_keys_only(signers: list[SigningKey], threshold: int, accepted: bool) -> None:
    envelope = sign("permit", PAYLOAD, signers)
    assert code_of(lambda: envelope.require(RING, threshold)) == ("" if accepted else "auth-document")


def test_an_unlisted_key_counts_for_nothing_and_harms_nothing() -> None:
    wrong = (EVE.key_id, bytes(64))
    good = sign("permit", PAYLOAD, [ADA])
    assert Envelope("permit", PAYLOAD, (*good.signatures, wrong, wrong)).signers(RING) == {ADA.key_id}


@pytest.mark.parametrize("signature", [bytes(64), b"", bytes(63), bytes(65)])
def test_a_listed_key_with_a_wrong_signature_refuses_the_whole_document(signature: bytes) -> None:
    good = sign("permit", PAYLOAD, [ADA])
    both = Envelope("permit", PAYLOAD, (*good.signatures, (BOB.key_id, signature)))
    with pytest.raises(TrustQueryError, match="a signature is wrong"):
        both.require(RING, 1)


def test_another_persons_signature_under_a_listed_id_is_wrong() -> None:
    forged = Envelope("permit", PAYLOAD, ((BOB.key_id, sign("permit", PAYLOAD, [EVE]).signatures[0][1]),))
    assert code_of(lambda: forged.signers(RING)) == "auth-document"


def test_one_key_cannot_sign_twice() -> None:
    once = sign("permit", PAYLOAD, [ADA]).signatures[0]
    with pytest.raises(TrustQueryError, match="one key signed twice"):
        Envelope("permit", PAYLOAD, (once, once)).require(RING, 2)


def test_signing_again_replaces_ones_own_signature() -> None:
    envelope = sign("permit", PAYLOAD, [ADA, ADA, BOB])
    assert [key for key, _ in envelope.signatures] == sorted([ADA.key_id, BOB.key_id])


@pytest.mark.parametrize(("signatures", "read"), [(16, True), (17, False)])
def test_an_envelope_holds_at_most_sixteen_signatures(signatures: int, read: bool) -> None:
    many = Envelope("permit", PAYLOAD, tuple((f"{place:064x}", b"x") for place in range(signatures)))
    assert code_of(lambda: Envelope.decode(many.encode(), kind="permit")) == ("" if read else "auth-document")


GOOD = sign("permit", PAYLOAD, [ADA])
FIELDS = json.loads(GOOD.encode())


def compact(data: object) -> bytes:
    return json.dumps(data, separators=(",", ":"), sort_keys=True).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"1",
        b'"payload"',
        compact(["payload", "payloadType", "signatures"]),
        json.dumps(FIELDS).encode(),
        GOOD.encode() + b"\n",
        GOOD.encode() + b"x",
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode().replace(b'{"payload"', b'{"payload":"","payload"'),
        compact(FIELDS | {"extra": 1}),
        compact({name: value for name, value in FIELDS.items() if name != "signatures"}),
        compact(FIELDS | {"payload": 1}),
        compact(FIELDS | {"payload": "é"}),
        compact(FIELDS | {"payload": FIELDS["payload"] + "\n"}),
        compact(FIELDS | {"payload": FIELDS["payload"].rstrip("=")}),
        compact(FIELDS | {"payloadType": payload_type("permit").upper()}),
        compact(FIELDS | {"signatures": None}),
        compact(FIELDS | {"signatures": {}}),
        compact(FIELDS | {"signatures": ["keyid", "sig"]}),
        compact(FIELDS | {"signatures": [1]}),
        compact(FIELDS | {"signatures": [{"keyid": 1, "sig": ""}]}),
        compact(FIELDS | {"signatures": [{"keyid": ADA.key_id}]}),
        compact(FIELDS | {"signatures": [{"keyid": ADA.key_id, "sig": "AA=="}, {"keyid": "x", "sig": "AB=="}]}),
    ],
)
def test_another_form_is_refused(data: bytes) -> None:
    assert code_of(lambda: Envelope.decode(data, kind="permit")) == "auth-document"


def test_whatever_byte_is_changed_the_document_is_not_believed() -> None:
    anchor = root(ADA, BOB)
    data = anchor.sign(ADA, BOB).encode()
    assert Root.verify(data, RING, 2)[0] == anchor
    believed: list[tuple[int, str]] = []
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        code = code_of(lambda changed=changed: Root.verify(bytes(changed), RING, 2))
        if code != "auth-document":
            believed.append((place, code))
    assert believed == []


@pytest.mark.parametrize("length", [0, 1, 10, 100])
def test_a_cut_document_is_not_believed(length: int) -> None:
    data = root(ADA, BOB).sign(ADA, BOB).encode()
    assert code_of(lambda: Root.verify(data[: -length - 1], RING, 2)) == "auth-document"
    assert code_of(lambda: Root.verify(data[:length], RING, 2)) == "auth-document"


def test_signed_nonsense_is_still_not_a_document() -> None:
    data = sign("permit", b'{"a":1}', [ADA]).encode()
    assert code_of(lambda: Permit.verify(data, RING, 1)) == "auth-document"
    loose = json.dumps(json.loads(permit(ADA).payload())).encode()
    assert code_of(lambda: Permit.verify(sign("permit", loose, [ADA]).encode(), RING, 1)) == "auth-document"


def test_an_envelope_is_what_other_documents_refer_to_by_the_hash_of_its_payload() -> None:
    document = permit(ADA)
    assert document.sign(ADA).sha256 == document.sign(BOB).sha256 == document.sha256
    assert base64.b64decode(json.loads(document.sign(ADA).encode())["payload"]) == document.payload()

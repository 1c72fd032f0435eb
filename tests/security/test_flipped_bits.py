"""TRN-03: one bit flipped anywhere in any signed document that decides over an answer, and nobody believes it.

The signature is over the payload's bytes as they were sent and over the kind, so there is no field to which it does not
reach.
"""

from __future__ import annotations

import pytest

from tests.factories.projects import application
from tests.factories.trust import People, key
from trustquery.errors import TrustQueryError
from trustquery.identity import Answer, SigningKey
from trustquery.identity.documents import Document
from trustquery.identity.keys import ring_of

PEOPLE = People()
INTENT = PEOPLE.the_intent()
ANSWER = Answer(
    federation="test", release_id=INTENT.release_id, query_hash=INTENT.query_hash, plan_hash=INTENT.plan_hash,
    node="RX1", data_version=1, policy_hash="", mode="local", status="answer", vector_sha256="a" * 64, vector_length=3,
    rho_nano=1_000_000, ledger_seq=7, reasons=(),
)  # fmt: skip
SIGNED: dict[str, tuple[Document, tuple[str, ...]]] = {
    found.KIND: (found, signers)
    for found, signers in (
        (PEOPLE.root, ("root0", "root1")),
        (PEOPLE.the_roster, ("root0", "root1")),
        (PEOPLE.the_statement, ("statement",)),
        (PEOPLE.the_permit, ("ann", "bob")),
        (PEOPLE.the_acceptance, ("gail", "hugh")),
        (PEOPLE.the_policy, ("gail", "hugh")),
        (INTENT, ("ada",)),
        (ANSWER, ("node",)),
        (application(), ("ada",)),
    )
}


def believed(document: Document, signers: tuple[SigningKey, ...], data: bytes) -> bool:
    """Whether somebody who knows the keys takes these bytes for a document that they all signed."""
    ring = ring_of(item.public.hex() for item in signers)
    try:
        type(document).verify(data, ring, len(signers))
    except TrustQueryError as error:
        return error.code != "auth-document"
    return True


@pytest.mark.acceptance("TRN-03")
@pytest.mark.parametrize("kind", sorted(SIGNED))
def test_no_flipped_bit_is_believed(kind: str) -> None:
    document, names = SIGNED[kind]
    signers = tuple(map(key, names))
    data = document.sign(*signers).encode()
    assert believed(document, signers, data)
    for place in range(8 * len(data)):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        assert not believed(document, signers, bytes(changed)), (kind, place)


@pytest.mark.acceptance("TRN-03")
@pytest.mark.parametrize("kind", sorted(SIGNED))
def test_no_document_is_believed_as_one_of_another_kind(kind: str) -> None:
    document, names = SIGNED[kind]
    signers = tuple(map(key, names))
    data = document.sign(*signers).encode()
    for other, _ in SIGNED.values():
        if kind != other.KIND:
            assert not believed(other, signers, data)

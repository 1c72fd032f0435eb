"""The signatures of an envelope have one order, and each key has one: two byte strings never mean the same document."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.factories.trust import key
from tests.lib.refusals import code_of
from trustquery.identity import Envelope
from trustquery.identity.canonical import encode
from trustquery.identity.envelope import payload_type, sign

ANN, BOB, EVE = key("ann"), key("bob"), key("eve")
RING = {person.key_id: person.public for person in (ANN, BOB)}
KINDS = (
    *("root", "roster", "revocations", "permit", "acceptance", "policy", "governance", "order", "intent", "answer"),
    *("checkpoint", "review"),
)


def verify(data: bytes, kind: str = "permit") -> frozenset[str]:
    return Envelope.decode(data, kind=kind).require(RING, 1)


def changed(data: bytes, change: Callable[[Any], None]) -> bytes:
    """The envelope with its JSON changed, canonical again."""
    document = json.loads(data)
    change(document)
    return encode(document)


def test_the_order_of_signing_leaves_no_trace() -> None:
    assert sign("permit", b"{}", [ANN, BOB]) == sign("permit", b"{}", [BOB, ANN])


def test_another_order_is_refused() -> None:
    data = sign("permit", b"{}", [ANN, BOB]).encode()
    assert verify(data) == {ANN.key_id, BOB.key_id}
    assert code_of(lambda: verify(changed(data, lambda document: document["signatures"].reverse()))) == "auth-document"


@pytest.mark.parametrize("twice", [0, 1])
def test_a_second_signature_of_any_key_is_refused(twice: int) -> None:
    """Of a key that is not listed too, though it would count for nothing."""
    data = sign("permit", b"{}", [ANN, EVE]).encode()
    assert verify(data) == {ANN.key_id}

    def repeat(document: Any) -> None:
        document["signatures"].insert(twice, document["signatures"][twice])

    assert code_of(lambda: verify(changed(data, repeat))) == "auth-document"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_a_relabelled_document_of_any_kind_is_refused(kind: str, other: str) -> None:
    data = changed(sign(kind, b"{}", [ANN]).encode(), lambda document: document.update(payloadType=payload_type(other)))
    assert (code_of(lambda: verify(data, other)) == "") is (kind == other)


def test_base64_with_spare_bits_is_refused() -> None:
    data = sign("permit", b'{"a":1}', [ANN]).encode()
    text = json.loads(data)["payload"]
    assert text.endswith("fQ==")
    assert base64.b64decode(text) == base64.b64decode(text[:-4] + "fR==")
    twin = changed(data, lambda document: document.update(payload=text[:-4] + "fR=="))
    assert code_of(lambda: verify(twin)) == "auth-document"

"""The places where bytes come in, each as a function of bytes that may only succeed or refuse with a typed error."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from coordinator.signin.tokens import Expected, UnknownKey, verify_id_token
from tests.factories.documents import NOW, STATEMENT, intent, node_entry, permit, person, root, roster
from trustquery.codelists import CodingSystem, check_input
from trustquery.errors import TrustQueryError
from trustquery.identity import Intent, Permit, Revocations, Root, Roster, SigningKey
from trustquery.identity.strict_json import read_json
from trustquery.log.leaf import Leaf
from trustquery.model import Query
from trustquery.policy import Policy
from trustquery.protocol.messages import (
    PROTOCOL_VERSION,
    AnswerMessage,
    Documents,
    Hello,
    Join,
    Message,
    PreviewReply,
    Renew,
)
from trustquery.protocol.session import Inbound, Outbound

__all__ = ["TARGETS", "Target"]


@dataclass(frozen=True)
class Target:
    """One place.

    Attributes:
        run: takes bytes; whatever it raises is a fault that was found.
        seeds: what honest people send there.
    """

    run: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]


@cache
def _key() -> SigningKey:
    return SigningKey.generate()


NODE, CENTRE = b"\x05" * 32, b"\x06" * 32
HELLO = Hello((PROTOCOL_VERSION,), "RX1", NODE)
JOIN = Join(7, b"\x01" * 64)


def _end() -> Outbound:
    """The node's end of a session of these nonces, once both have greeted."""
    heard = Inbound(sender="coordinator", nonce=NODE)
    heard.receive(Outbound().frames(Hello((PROTOCOL_VERSION,), "coordinator", CENTRE, NODE))[0])
    said = Outbound()
    said.frames(HELLO)
    said.begin(heard.session)
    return said


def _joined() -> list[bytes]:
    """What a node may say once it has joined."""
    said: list[Message] = [
        Documents(stances=(b"{}", b"[]")),
        PreviewReply(b"\x0a" * 32, True, ()),
        Renew(b"-----BEGIN CERTIFICATE REQUEST-----\n"),
        AnswerMessage("0b" * 32, b"{}", b"\x00" * 64),
    ]
    found = []
    for message in said:
        end = _end()
        end.frames(JOIN)
        found += end.frames(message)[:1]
    return found


def _greeting(data: bytes) -> None:
    inbound = Inbound(sender="node", nonce=CENTRE)
    inbound.receive(Outbound().frames(HELLO)[0])
    inbound.receive(data)


def _session(data: bytes) -> None:
    inbound = Inbound(sender="node", nonce=CENTRE)
    inbound.receive(Outbound().frames(HELLO)[0])
    inbound.receive(_end().frames(JOIN)[0])
    inbound.receive(data)


def _documents() -> Iterator[bytes]:
    key = _key()
    people = (person("ann", key),)
    yield root(key, threshold=1).sign(key).encode()
    yield roster((node_entry("RX1", key),), people).sign(key).encode()
    yield permit(key).sign(key).encode()
    yield intent(key).sign(key).encode()
    said = Revocations(federation="test", version=1, issued=NOW, expires=NOW + 900, revoked=())
    yield said.sign(STATEMENT).encode()


def _read_document(data: bytes) -> None:
    for kind in (Root, Roster, Permit, Intent, Revocations):
        with contextlib.suppress(TrustQueryError):
            kind.read(data)


def _read_payload(data: bytes) -> None:
    for read in (Query.from_payload, Policy.from_payload, Leaf.from_payload, Roster.from_payload):
        with contextlib.suppress(TrustQueryError):
            read(data)


def _payloads() -> list[bytes]:
    return [base64.b64decode(read_json(envelope)["payload"]) for envelope in _documents()]


def _input(data: bytes) -> None:
    check_input(data, "list.csv", system=CodingSystem.ICD10, column="")


def _token(data: bytes) -> None:
    expected = Expected(
        provider="P", issuer="https://p.test", client_id="c", nonce="n", level=2, max_age=300, now=NOW,
        algorithms=("RS256",), level_claim="acr", levels={"aal2": 2},
    )  # fmt: skip
    with contextlib.suppress(UnknownKey):
        verify_id_token(data.decode("latin-1"), [], expected)


def _any_json(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_json(data)


TARGETS: dict[str, Target] = {
    "greeting": Target(_greeting, lambda: _end().frames(JOIN)),
    "session": Target(_session, _joined),
    "document": Target(_read_document, lambda: list(_documents())),
    "payload": Target(_read_payload, _payloads),
    "input": Target(
        _input,
        lambda: [b"code,term\nC50,Breast\nC61,Prostate\n", b'{"id":"a","version":1,"columns":[],"rows":[]}'],
    ),
    "token": Target(_token, lambda: [b"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.AAAA"]),
    "json": Target(_any_json, lambda: [b'{"a":[1,2.5,null,"x"]}']),
}

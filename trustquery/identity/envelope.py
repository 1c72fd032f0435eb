"""DSSE envelopes: signatures over the bytes as sent, with a type per document kind.

Source: DSSE v1.0 (secure-systems-lab), protocol and envelope documents. Signing covers
PAE(payloadType, payload), so a signature for one kind can never serve another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trustquery.errors import TrustQueryError
from trustquery.identity import canonical
from trustquery.identity.keys import SigningKey, verify

__all__ = ["Envelope", "payload_type", "sign"]

_MAX_SIGNATURES = 16
_VERSIONS = {"permit": 2, "revocations": 2, "root": 2, "roster": 2}
"""Versions of kinds whose fields have changed since the first; every other kind is in its first."""


def payload_type(kind: str) -> str:
    """The media type that tags a document kind."""
    return f"application/vnd.trustquery.{kind}.v{_VERSIONS.get(kind, 1)}+json"


def _pae(kind: str, payload: bytes) -> bytes:
    tag = payload_type(kind).encode()
    return b"DSSEv1 %d %b %d %b" % (len(tag), tag, len(payload), payload)


@dataclass(frozen=True)
class Envelope:
    """One signed document as it travels: opaque bytes to every layer but this one.

    Attributes:
        kind: root, roster, revocations, application, permit, decision, acceptance, stance, closedown, policy,
            governance, order, intent, answer, checkpoint or review.
        payload: canonical JSON bytes.
        signatures: pairs of key id and 64 signature bytes, sorted by key id.
    """

    kind: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]

    @property
    def sha256(self) -> str:
        """Hash of the payload, hexadecimal: how other documents refer to this one."""
        return hashlib.sha256(self.payload).hexdigest()

    def encode(self) -> bytes:
        """The envelope as canonical JSON bytes."""
        return canonical.encode(
            {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": payload_type(self.kind),
                "signatures": [
                    {"keyid": key, "sig": base64.b64encode(signature).decode()} for key, signature in self.signatures
                ],
            }
        )

    @classmethod
    def decode(cls, data: bytes, *, kind: str) -> Envelope:
        """Read an envelope of the given kind; signatures are not checked yet.

        Raises:
            TrustQueryError: ``auth-document`` for anything unexpected.
        """
        found = canonical.decode(data, document=kind)
        try:
            if set(found) != {"payload", "payloadType", "signatures"} or found["payloadType"] != payload_type(kind):
                raise ValueError("not this kind")
            signatures = []
            for item in found["signatures"]:
                if set(item) != {"keyid", "sig"} or not isinstance(item["keyid"], str):
                    raise ValueError("signature form")
                signatures.append((item["keyid"], base64.b64decode(item["sig"], validate=True)))
            payload = base64.b64decode(found["payload"], validate=True)
        except (ValueError, TypeError, KeyError, binascii.Error) as error:
            raise TrustQueryError("auth-document", document=kind, problem="it has another form") from error
        if len(signatures) > _MAX_SIGNATURES:
            raise TrustQueryError("auth-document", document=kind, problem="it has too many signatures")
        names = [name for name, _ in signatures]
        if names != sorted(set(names)):
            raise TrustQueryError(
                "auth-document", document=kind, problem="each key signs once, in the order of key ids"
            )
        envelope = cls(kind, payload, tuple(signatures))
        if envelope.encode() != data:
            raise TrustQueryError("auth-document", document=kind, problem="it is not canonical")
        return envelope

    def signers(self, keys: Mapping[str, bytes]) -> frozenset[str]:
        """Ids of those ``keys`` (id to 32 raw bytes) that validly signed.

        A signature by a key that is not listed counts for nothing; a listed key whose signature is wrong
        makes the whole document invalid, because nobody honest sends one.

        Raises:
            TrustQueryError: ``auth-document``.
        """
        message = _pae(self.kind, self.payload)
        good = set()
        for key, signature in self.signatures:
            if key in good:
                raise TrustQueryError("auth-document", document=self.kind, problem="one key signed twice")
            if key in keys:
                if not verify(keys[key], message, signature):
                    raise TrustQueryError("auth-document", document=self.kind, problem="a signature is wrong")
                good.add(key)
        return frozenset(good)

    def require(self, keys: Mapping[str, bytes], threshold: int) -> frozenset[str]:
        """``signers``, of which there must be at least ``threshold`` (≥ 1).

        Raises:
            TrustQueryError: ``auth-document``.
        """
        good = self.signers(keys)
        if threshold < 1 or len(good) < threshold:
            raise TrustQueryError(
                "auth-document", document=self.kind, problem=f"{max(threshold, 1)} listed keys must sign it"
            )
        return good

    def with_signature(self, key: SigningKey) -> Envelope:
        """The same document with one more signature."""
        others = [item for item in self.signatures if item[0] != key.key_id]
        signed = (key.key_id, key.sign(_pae(self.kind, self.payload)))
        return Envelope(self.kind, self.payload, tuple(sorted([*others, signed])))


def sign(kind: str, payload: bytes, keys: Iterable[SigningKey]) -> Envelope:
    """An envelope over ``payload``, signed by each key."""
    envelope = Envelope(kind, payload, ())
    for key in keys:
        envelope = envelope.with_signature(key)
    return envelope

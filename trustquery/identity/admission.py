"""What people at the centre decide about a node: to let one in, or to go on after two copies of it were seen."""

from __future__ import annotations

import hashlib
from typing import ClassVar, Literal

from trustquery.identity import canonical
from trustquery.identity.documents import Document, Hex32, Name, Seconds

__all__ = ["Act", "Admission", "enrolment_sha256"]

Act = Literal["admit", "resolve-clone"]


class Admission(Document):
    """One person's yes, signed with their own key. It takes the yes of two different people.

    Attributes:
        about: what exactly was looked at: ``enrolment_sha256`` to admit, the incident's hash to resolve. A yes to one
            enrolment says nothing about the next one of the same trust.
        decided: when, seconds since 1970 UTC.
    """

    KIND: ClassVar[str] = "admission"
    federation: Name
    node: Name
    act: Act
    about: Hex32
    decided: Seconds


def enrolment_sha256(ods: str, identity_key: str, tls_key_sha256: str, words: str, code_sha256: str) -> str:
    """The hash of one enrolment: its keys, its code, and the 12 words that were compared.

    Args:
        identity_key: 64 hexadecimal digits.
        tls_key_sha256: of the TLS key's SubjectPublicKeyInfo, hexadecimal.
        code_sha256: of the one-time code's text, hexadecimal.
    """
    shown = {"ods": ods, "identity_key": identity_key, "tls_key_sha256": tls_key_sha256, "words": words}
    return hashlib.sha256(canonical.encode({**shown, "code_sha256": code_sha256})).hexdigest()

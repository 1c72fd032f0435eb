"""What a node and the coordinator say to each other before there is a certificate.

An enrolment code travels by telephone or post. It is single use, bound to one ODS code, and pins the transport
authority's certificate, so that the first HTTPS request already knows whom it talks to.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from trustquery.errors import TrustQueryError

__all__ = ["ConnectionCode", "EnrolmentCode", "join_message", "login_message", "proof_message"]

_ODS = re.compile(r"[A-Z0-9]{3,8}")
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):([1-9][0-9]{0,4})")
_SECRET = re.compile(r"[0-9a-f]{32}")
_HASH = re.compile(r"[0-9a-f]{64}")


def _pack_address(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise ValueError("an address is host:port")
    return base64.urlsafe_b64encode(address.encode()).decode().rstrip("=")


def _unpack_address(text: str) -> str:
    padded = text + "=" * (-len(text) % 4)
    try:
        address = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        if _pack_address(address) != text:
            raise ValueError("not the one way to write it")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("not an address") from error
    return address


@dataclass(frozen=True)
class EnrolmentCode:
    """``tqe1.<ods>.<base64url of host:port>.<32 hex secret>.<sha256 of the authority's DER certificate>``.

    Attributes:
        ods: the trust's ODS code, which the code is bound to.
        address: host:port of the coordinator's HTTPS API.
        secret: 32 hexadecimal digits (128 bits).
        authority_sha256: print of the transport authority, hexadecimal.
    """

    ods: str
    address: str
    secret: str
    authority_sha256: str

    def __repr__(self) -> str:
        return f"EnrolmentCode(ods={self.ods!r}, …)"

    @property
    def text(self) -> str:
        """The code as it is handed over: also the bearer token, and the ``code`` that the 12 words cover."""
        return ".".join(("tqe1", self.ods, _pack_address(self.address), self.secret, self.authority_sha256))

    @classmethod
    def parse(cls, text: str) -> EnrolmentCode:
        """Read a code.

        Raises:
            TrustQueryError: ``node-code-invalid``.
        """
        parts = text.strip().split(".")
        try:
            if len(parts) != 5 or parts[0] != "tqe1" or not _ODS.fullmatch(parts[1]):
                raise ValueError("another form")
            if not _SECRET.fullmatch(parts[3]) or not _HASH.fullmatch(parts[4]):
                raise ValueError("another form")
            return cls(parts[1], _unpack_address(parts[2]), parts[3], parts[4])
        except ValueError as error:
            raise TrustQueryError("node-code-invalid", ods="ODS") from error


@dataclass(frozen=True)
class ConnectionCode:
    """``tqc1.<base64url of host:port>.<authority print>.<root print>``: where a client connects, and whom it believes.

    Nothing in it is secret; it must come from somebody the analyst trusts.
    """

    address: str
    authority_sha256: str
    root_sha256: str

    @property
    def text(self) -> str:
        """The code as it is handed over."""
        return ".".join(("tqc1", _pack_address(self.address), self.authority_sha256, self.root_sha256))

    @classmethod
    def parse(cls, text: str) -> ConnectionCode:
        """Read a code.

        Raises:
            TrustQueryError: ``usage-invalid``.
        """
        parts = text.strip().split(".")
        try:
            if len(parts) != 4 or parts[0] != "tqc1" or not all(_HASH.fullmatch(part) for part in parts[2:]):
                raise ValueError("another form")
            return cls(_unpack_address(parts[1]), parts[2], parts[3])
        except ValueError as error:
            raise TrustQueryError("usage-invalid", problem="the connection code cannot be read") from error


def _tagged(tag: str, *parts: bytes) -> bytes:
    return tag.encode() + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def proof_message(code: EnrolmentCode, identity_key: bytes, request_pem: bytes) -> bytes:
    """What a node signs with its identity key to prove that it holds it.

    Args:
        identity_key: 32 raw bytes.
        request_pem: its certificate request, PEM, exactly as sent.
    """
    digest = hashlib.sha256(request_pem).digest()
    return _tagged("trustquery/enrolment-proof/v1", code.text.encode(), identity_key, digest)


def join_message(federation: str, node: str, nonce: bytes, counter: int) -> bytes:
    """What a node signs with its identity key when it joins: this session and no other, and its counter.

    Args:
        nonce: the coordinator's, of its Hello: a signature cannot have been made, or written down, before.
    """
    return _tagged("trustquery/join/v1", federation.encode(), node.encode(), nonce, counter.to_bytes(8, "big"))


def login_message(federation: str, authority_sha256: str, user: str, challenge: str) -> bytes:
    """What a person signs to log in: names the federation and its authority, so that no other server can use it."""
    parts = (federation, authority_sha256, user, challenge)
    return _tagged("trustquery/login/v1", *(part.encode() for part in parts))

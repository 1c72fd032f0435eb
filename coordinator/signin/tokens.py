"""ID tokens: everything that must hold before one is believed. Bytes and time in, a person out; no network.

A key is only ever taken from the provider's one key set, by its id. What a token says about where its key is to be
found (``jku``, ``x5u``, ``jwk``, ``x5c``) is not read.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from coordinator.signin.settings import ALGORITHMS
from coordinator.signin.weak_keys import gives_a_secret_away, is_weak_rsa
from trustquery.errors import TrustQueryError
from trustquery.identity.strict_json import read_json

__all__ = ["Expected", "Proved", "UnknownKey", "read_json_object", "verify_id_token"]

LONGEST = 16_384
SKEW_SECONDS = 60
FRESH_SECONDS = 600
"""How old an ID token may be that was fetched this moment."""
_PART = re.compile(rb"[A-Za-z0-9_-]+")
_SUBJECT = re.compile(r"[\x21-\x7e]{1,200}")


class UnknownKey(LookupError):
    """No key of the set fits the token: the set may be older than the key."""


@dataclass(frozen=True)
class Expected:
    """What a token must say.

    Attributes:
        provider: its title, for messages.
        nonce: that was sent with this browser's request.
        level: assurance that was asked for, 2 or 3.
        max_age: seconds since the person was last asked to prove who they are.
        now: seconds since 1970 UTC.
    """

    provider: str
    issuer: str
    client_id: str
    nonce: str
    level: int
    max_age: int
    now: int
    algorithms: tuple[str, ...]
    level_claim: str
    levels: Mapping[str, int]
    subject: str = "sub"
    tenant: str = ""


@dataclass(frozen=True)
class Proved:
    """Who signed in, how strongly and when."""

    issuer: str
    subject: str
    level: int
    auth_time: int


def read_json_object(data: bytes) -> dict[str, Any]:
    """A JSON object in which every name stands once, and every number is one.

    Raises:
        ValueError: it is none.
    """
    found = read_json(data)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _decoded(part: bytes) -> bytes:
    if not _PART.fullmatch(part):
        raise ValueError("not base64url")
    return base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)


def verify_id_token(token: str, keys: Sequence[Mapping[str, Any]], expected: Expected) -> Proved:
    """Check an ID token's signature and all of its claims.

    Args:
        keys: of the provider's key set, as it published them.

    Raises:
        TrustQueryError: ``auth-provider``, with what does not hold.
        UnknownKey: the set holds no key that fits.
    """

    def refuse(problem: str) -> NoReturn:
        raise TrustQueryError("auth-provider", provider=expected.provider, problem=problem)

    try:
        data = token.encode("ascii")
        head, _, _ = parts = data.split(b".")
        header = read_json_object(_decoded(head))
        payload_bytes = _decoded(parts[1])
    except ValueError:
        refuse("its token cannot be read")
    if len(data) > LONGEST:
        refuse("its token is too long")
    algorithm = header.get("alg")
    if algorithm not in expected.algorithms or algorithm not in ALGORITHMS:
        refuse("its token is not signed in an allowed way")
    if "crit" in header or "b64" in header:
        refuse("its token needs an extension that is not known here")
    if str(header.get("typ", "JWT")).upper() != "JWT":
        refuse("what it sent is not an ID token")
    key = _key(header.get("kid"), str(algorithm), keys)
    if key is None:
        raise UnknownKey
    try:
        jws.deserialize_compact(data, key, algorithms=[str(algorithm)])
    except (JoseError, ValueError, TypeError):
        refuse("its token's signature is wrong")
    try:
        claims = read_json_object(payload_bytes)
    except ValueError:
        refuse("its token cannot be read")
    problem = _wrong(claims, expected)
    if problem:
        refuse(problem)
    return Proved(expected.issuer, claims[expected.subject], _level(claims, expected), claims["auth_time"])


def _key(kid: object, algorithm: str, keys: Iterable[Mapping[str, Any]]) -> RSAKey | ECKey | None:
    """The one public key that this token names, of the kind that its algorithm takes."""
    keys = list(keys)
    if gives_a_secret_away(keys):
        return None
    wanted = "EC" if algorithm.startswith("ES") else "RSA"
    fitting = [
        key
        for key in keys
        if key.get("kty") == wanted
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]
    # Two keys of one name, or no name among several: nobody could say which was meant.
    if len(fitting) != 1 or (kid is not None and not isinstance(kid, str)):
        return None
    # Only the numbers: nothing else that stands in the set can have a say.
    members = ("kty", "crv", "x", "y") if wanted == "EC" else ("kty", "n", "e")
    numbers: dict[str, str | list[str]] = {}
    for name in members:
        value = fitting[0].get(name)
        if not isinstance(value, str):
            return None
        numbers[name] = value
    try:
        if wanted == "EC":
            return ECKey.import_key(numbers) if numbers["crv"] == "P-256" else None
        modulus, exponent = (int.from_bytes(_decoded(str(numbers[name]).encode()), "big") for name in ("n", "e"))
        return None if is_weak_rsa(modulus, exponent) else RSAKey.import_key(numbers)
    except (JoseError, ValueError, TypeError):
        return None


def _time(claims: Mapping[str, Any], name: str) -> int | None:
    value = claims.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40 else None


def _level(claims: Mapping[str, Any], expected: Expected) -> int:
    value = claims.get(expected.level_claim)
    values = value if isinstance(value, list) else [value]
    return max((expected.levels.get(item, 0) for item in values if isinstance(item, str)), default=0)


def _wrong(claims: Mapping[str, Any], expected: Expected) -> str:
    """What does not hold, "" where everything does. What is compared is text of the provider's own settings."""
    if claims.get("iss") != expected.issuer:
        return "its token was issued by somebody else"
    if claims.get("aud") not in (expected.client_id, [expected.client_id]):
        return "its token is for somebody else"
    if claims.get("azp", expected.client_id) != expected.client_id:
        return "its token was asked for by somebody else"
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        return "its token belongs to another sign-in"
    return _untimely(claims, expected) or _nobody(claims, expected)


def _untimely(claims: Mapping[str, Any], expected: Expected) -> str:
    now = expected.now
    ends, issued, proved = (_time(claims, name) for name in ("exp", "iat", "auth_time"))
    if ends is None or issued is None:
        return "its token has no times"
    begins = _time(claims, "nbf") if "nbf" in claims else issued
    if ends <= now - SKEW_SECONDS or issued <= now - FRESH_SECONDS:
        return "its token is old"
    if begins is None or max(begins, issued) > now + SKEW_SECONDS:
        return "its token is not valid yet"
    if proved is None:
        return "its token does not say when you proved who you are"
    if proved > now + SKEW_SECONDS or proved < now - expected.max_age - SKEW_SECONDS:
        return "it did not ask you anew who you are"
    return ""


def _nobody(claims: Mapping[str, Any], expected: Expected) -> str:
    if expected.tenant and claims.get("tid") != expected.tenant:
        return "you signed in to another tenant"
    subject = claims.get(expected.subject)
    if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        return "its token does not say who you are"
    if _level(claims, expected) < expected.level:
        return "it did not sign you in strongly enough"
    return ""

"""TRN-10: tokens forged in every way that has worked somewhere. Each is refused, and nothing is fetched for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc.jwk import ECKey, RSAKey

from coordinator.signin.tokens import LONGEST, Expected, UnknownKey, verify_id_token
from tests.factories.documents import NOW
from tests.lib.hostile_provider import CLIENT, EC, ISSUER, OTHER_RSA, RSA, HostileProvider, encoded
from trustquery.errors import TrustQueryError

pytestmark = pytest.mark.acceptance("TRN-10")
CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "sub": "1", "aud": CLIENT, "nonce": "n", "iat": NOW, "exp": NOW + 300, "auth_time": NOW,
    "acr": "aal2",
}  # fmt: skip
EXPECTED = Expected(
    provider="P", issuer=ISSUER, client_id=CLIENT, nonce="n", level=2, max_age=300, now=NOW,
    algorithms=("RS256", "PS256", "ES256"), level_claim="acr", levels={"aal2": 2},
)  # fmt: skip
PUBLIC = RSA.as_dict(private=False, kid="k1", use="sig")
KEYS = [PUBLIC, EC.as_dict(private=False, kid="e1", use="sig", alg="ES256")]
SIGNER = HostileProvider(NOW)


def sign(*, key: RSAKey | ECKey = RSA, **header: Any) -> str:
    """A right signature under this header."""
    return SIGNER.signed(CLAIMS, key=key, **header)


def verdict(token: str, keys: list[dict[str, Any]] | None = None, expected: Expected = EXPECTED) -> str:
    """ "" where it is believed, else what was said against it."""
    try:
        verify_id_token(token, KEYS if keys is None else keys, expected)
    except UnknownKey:
        return "unknown key"
    except TrustQueryError as error:
        return error.problem.reason if error.code == "auth-provider" else ""
    return ""


def hs(secret: bytes, algorithm: str = "HS256", **header: Any) -> str:
    """An HMAC with something public as its secret."""
    signed = f"{encoded({'alg': algorithm, 'kid': 'k1', 'typ': 'JWT'} | header)}.{encoded(CLAIMS)}"
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def parts(token: str, place: int, change: Callable[[str], str]) -> str:
    """A token with one of its parts changed."""
    found = token.split(".")
    found[place] = change(found[place])
    return ".".join(found)


def bare(algorithm: Any, signature: str = "") -> str:
    return f"{encoded({'alg': algorithm, 'kid': 'k1'})}.{encoded(CLAIMS)}.{signature}"


def twice(part: str) -> str:
    """The same name a second time: which of the two counts differs from parser to parser."""
    raw = base64.urlsafe_b64decode(part + "==").decode()
    return encoded((raw[:-1] + ', "alg": "none", "sub": "2"}').encode())


def unsigned_zero(kid: str = "e1") -> str:
    """The psychic signature: r = s = 0."""
    return f"{encoded({'alg': 'ES256', 'kid': kid})}.{encoded(CLAIMS)}.{encoded(bytes(64))}"


def der(signature: str) -> str:
    """The two numbers of an EC signature as X.509 writes them, which JOSE does not."""
    raw = base64.urlsafe_b64decode(signature + "==")
    numbers = (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    return encoded(encode_dss_signature(*numbers))


def headed(**header: Any) -> str:
    return f"{encoded(header)}.{encoded(CLAIMS)}.{sign().rpartition('.')[2]}"


GOOD = {
    "RS256": lambda: sign(),
    "PS256": lambda: sign(alg="PS256"),
    "ES256": lambda: sign(key=EC, alg="ES256", kid="e1"),
    "no typ": lambda: sign(typ=None),
    "typ in small letters": lambda: sign(typ="jwt"),
    "a key's address that is not read": lambda: sign(jku="https://evil.test/keys"),
    "a thumbprint that is not read": lambda: sign(x5t="AAAA"),
}
PEM = RSA.as_pem(private=False)
FORGED: dict[str, Callable[[], str]] = {
    "alg none": lambda: bare("none"),
    "alg None": lambda: bare("None"),
    "alg NONE with a signature": lambda: bare("NONE", sign().rpartition(".")[2]),
    "alg nOnE": lambda: bare("nOnE"),
    "alg empty": lambda: bare(""),
    "alg null": lambda: bare(None),
    "alg a list": lambda: bare(["RS256"]),
    "alg in small letters": lambda: bare("rs256", sign().rpartition(".")[2]),
    "no alg": lambda: f"{encoded({'kid': 'k1'})}.{encoded(CLAIMS)}.{sign().rpartition('.')[2]}",
    "HS256 with the public key's PEM": lambda: hs(PEM),
    "HS256 with the PEM without its last line end": lambda: hs(PEM.rstrip()),
    "HS256 with the modulus": lambda: hs(base64.urlsafe_b64decode(str(PUBLIC["n"]) + "==")),
    "HS256 with the JSON of the key": lambda: hs(json.dumps(PUBLIC).encode()),
    "HS256 with an empty secret": lambda: hs(b""),
    "HS256 with the client's id": lambda: hs(CLIENT.encode()),
    "HS384": lambda: hs(PEM, "HS384"),
    "HS512": lambda: hs(PEM, "HS512"),
    "RS512, which is not allowed": lambda: sign(alg="RS512"),
    "ES256 with the RSA key's id": lambda: sign(key=EC, alg="ES256"),
    "RS256 with the EC key's id": lambda: sign(kid="e1"),
    "r and s zero": unsigned_zero,
    "r and s zero with the RSA key's id": lambda: unsigned_zero("k1"),
    "an EC signature in DER": lambda: parts(sign(key=EC, alg="ES256", kid="e1"), 2, der),
    "another key": lambda: sign(key=OTHER_RSA),
    "another key, its own address": lambda: sign(key=OTHER_RSA, jku="https://evil.test/keys"),
    "another key, its certificate's address": lambda: sign(key=OTHER_RSA, x5u="https://evil.test/cert"),
    "another key, brought along": lambda: sign(key=OTHER_RSA, jwk=OTHER_RSA.as_dict(private=False)),
    "another key, its certificate brought along": lambda: sign(key=OTHER_RSA, x5c=["MIIB"]),
    "an unknown kid": lambda: sign(kid="k2"),
    "a kid that is a path": lambda: sign(kid="../../../../dev/null"),
    "a kid that is a path to a known key": lambda: sign(kid="./k1"),
    "a kid that is SQL": lambda: sign(kid="x' UNION SELECT 'k1"),
    "a kid that is a command": lambda: sign(kid="k1|id"),
    "a kid that is an address": lambda: sign(kid="https://evil.test/k1"),
    "a kid in other letters": lambda: sign(kid="K1"),
    "a kid with a zero byte": lambda: sign(kid="k1\x00"),
    "an empty kid": lambda: sign(kid=""),
    "no signature": lambda: parts(sign(), 2, lambda _: ""),
    "a shortened signature": lambda: parts(sign(), 2, lambda s: s[:-4]),
    "the signature of another token": lambda: parts(sign(), 2, lambda _: SIGNER.signed({"sub": "2"}).split(".")[2]),
    "other claims": lambda: parts(sign(), 1, lambda _: encoded(CLAIMS | {"sub": "2"})),
    "an access token": lambda: sign(typ="at+jwt"),
    "a logout token": lambda: sign(typ="logout+jwt"),
    "a nested token": lambda: sign(cty="JWT", typ="JOSE"),
    "a critical extension": lambda: headed(alg="RS256", kid="k1", crit=["exp"], exp=NOW),
    "an unencoded payload": lambda: headed(alg="RS256", kid="k1", b64=False, crit=["b64"]),
    "an unencoded payload, not called critical": lambda: headed(alg="RS256", kid="k1", b64=False),
    "four parts": lambda: sign() + ".AAAA",
    "five parts, as if encrypted": lambda: sign() + ".AAAA.AAAA",
    "two parts": lambda: sign().rpartition(".")[0],
    "one part": lambda: "x",
    "nothing": lambda: "",
    "white space before": lambda: " " + sign(),
    "a line end after": lambda: sign() + "\n",
    "padding": lambda: parts(sign(), 1, lambda s: s + "="),
    "the other base 64": lambda: parts(sign(), 2, lambda s: "+/" + s[2:]),
    "letters that are none": lambda: parts(sign(), 0, lambda s: s + "é"),
    "a header that is a list": lambda: f"{encoded([])}.{encoded(CLAIMS)}.AAAA",
    "a header with a name twice": lambda: parts(sign(), 0, twice),
    "claims with a name twice": lambda: parts(sign(), 1, twice),
    "JSON serialisation": lambda: json.dumps(
        dict(zip(("protected", "payload", "signature"), sign().split("."), strict=True))
    ),
    "a header as deep as it goes": lambda: f"{encoded(b'[' * 12_000)}.{encoded(CLAIMS)}.AAAA",
    "too long": lambda: SIGNER.signed(CLAIMS | {"x": "y" * LONGEST}),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_right_token_is_believed(name: str) -> None:
    assert verdict(GOOD[name]()) == ""


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(name: str) -> None:
    assert verdict(FORGED[name]()) != ""


def test_each_flipped_character_of_a_token_is_noticed() -> None:
    token = sign()
    for place in range(0, len(token), 7):
        other = "A" if token[place] != "A" else "B"
        changed = token[:place] + other + token[place + 1 :]
        if token[place] != ".":
            assert verdict(changed) != "", place


def test_an_algorithm_that_the_settings_leave_out_is_refused_however_right_the_signature() -> None:
    only = replace(EXPECTED, algorithms=("ES256",))
    assert "allowed" in verdict(sign(), expected=only)
    # And no setting can allow what is not in the closed list.
    assert "allowed" in verdict(hs(PEM), expected=replace(EXPECTED, algorithms=("HS256", "none")))
    assert "allowed" in verdict(bare("none"), expected=replace(EXPECTED, algorithms=("HS256", "none")))


def small_rsa() -> dict[str, Any]:
    key = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    return {"kty": "RSA", "kid": "k1", "e": "AQAB", "n": encoded(key.n.to_bytes(128, "big"))}


def other_curve() -> dict[str, Any]:
    return ECKey.import_key(ec.generate_private_key(ec.SECP384R1()).public_key()).as_dict(kid="e1")


SETS: dict[str, tuple[Callable[[], str], list[dict[str, Any]]]] = {
    "empty": (sign, []),
    "two keys of one name": (sign, [PUBLIC, PUBLIC]),
    "no name, and two that fit": (lambda: sign(kid=None), [PUBLIC, PUBLIC | {"kid": "k2"}]),
    "a key for encryption": (sign, [PUBLIC | {"use": "enc"}]),
    "a key for another algorithm": (sign, [PUBLIC | {"alg": "RS512"}]),
    "a symmetric key": (lambda: hs(b"s" * 32), [{"kty": "oct", "kid": "k1", "k": encoded(b"s" * 32)}]),
    "a symmetric key called RSA": (lambda: hs(b"s" * 32), [{"kty": "RSA", "kid": "k1", "k": encoded(b"s" * 32)}]),
    "a key without a modulus": (sign, [{"kty": "RSA", "kid": "k1", "e": "AQAB"}]),
    "a modulus that is a number": (sign, [PUBLIC | {"n": 5}]),
    "a modulus that is no base 64": (sign, [PUBLIC | {"n": "!"}]),
    "a short key": (sign, [small_rsa()]),
    "another curve": (lambda: sign(key=EC, alg="ES256", kid="e1"), [other_curve()]),
    "a point that is on no curve": (
        lambda: sign(key=EC, alg="ES256", kid="e1"),
        [{"kty": "EC", "crv": "P-256", "kid": "e1", "x": encoded(bytes(32)), "y": encoded(bytes(32))}],
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_a_key_set_that_does_not_say_which_good_key_it_was_opens_nothing(name: str) -> None:
    make, keys = SETS[name]
    assert verdict(make(), keys) != ""


def test_a_lone_key_needs_no_name() -> None:
    assert verdict(sign(kid=None), [PUBLIC]) == ""
    assert verdict(sign(kid=None), [{k: v for k, v in PUBLIC.items() if k != "kid"}]) == ""

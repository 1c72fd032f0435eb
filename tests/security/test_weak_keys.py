"""TRN-10: keys that a provider publishes and nobody should believe, each with a signature that is right under it.

The kinds are those of Project Wycheproof's ``json_web_key`` set, with keys of our own. Only asymmetric signatures are
taken here, so what that set says of HMAC keys is one row.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey

from coordinator.signin.weak_keys import gives_a_secret_away, is_weak_rsa
from tests.lib.hostile_provider import EC, RSA
from tests.security.test_jws import KEYS, PUBLIC, hs, sign, verdict

pytestmark = pytest.mark.acceptance("TRN-10")


def published(key: RSAKey) -> dict[str, Any]:
    """As it stands in a key set."""
    return key.as_dict(private=False, kid="k1", use="sig")


def roca_prime(chance: random.Random) -> int:
    """A prime as the broken chips drew them (Nemec et al., CCS 2017, section 2.2)."""
    product = math.prod(n for n in range(2, 168) if all(n % k for k in range(2, n)))
    # So large that the product of two has its 2,048 bits.
    least, most = (3 << 1022) // product + 1, (1 << 1024) // product - 1
    while True:
        found = chance.randint(least, most) * product + pow(65537, chance.getrandbits(60), product)
        if pow(2, found - 1, found) == 1:
            return found


def rsa_numbers(key: RSAKey) -> rsa.RSAPublicNumbers:
    secret = key.raw_value
    assert isinstance(secret, rsa.RSAPrivateKey)
    return secret.public_key().public_numbers()


@cache
def roca() -> RSAKey:
    chance = random.Random(2017)
    p, q = roca_prime(chance), roca_prime(chance)
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return RSAKey.import_key(numbers.private_key())


@cache
def made(exponent: int, bits: int) -> RSAKey:
    return RSAKey.import_key(rsa.generate_private_key(exponent, bits))


SETS: dict[str, Callable[[], tuple[str, list[dict[str, Any]]]]] = {
    "a key that is broken by its form (ROCA)": lambda: (sign(key=roca()), [published(roca())]),
    "an exponent of 3": lambda: (sign(key=made(3, 2048)), [published(made(3, 2048))]),
    "an exponent of 1": lambda: (sign(), [PUBLIC | {"e": "AQ"}]),
    "a private key among public ones": lambda: (sign(), [PUBLIC, EC.as_dict(private=True, kid="e1")]),
    "its own private key": lambda: (sign(), [RSA.as_dict(private=True, kid="k1", use="sig")]),
    "a symmetric key among public ones": lambda: (sign(), [PUBLIC, {"kty": "oct", "kid": "s", "k": "AAAA"}]),
    "a symmetric key alone": lambda: (hs(b"s" * 32), [{"kty": "oct", "kid": "k1", "k": "c3Nzc3Nz"}]),
    "an elliptic key called RSA": lambda: (sign(key=EC, alg="ES256", kid="e1"), [KEYS[1] | {"kty": "RSA"}]),
    "an elliptic key of an algorithm of no curve": lambda: (
        sign(key=EC, alg="ES256", kid="e1"),
        [KEYS[1] | {"alg": "ES224"}],
    ),
    "an elliptic key for encryption": lambda: (sign(key=EC, alg="ES256", kid="e1"), [KEYS[1] | {"use": "enc"}]),
    "an elliptic key of another curve": lambda: (sign(key=EC, alg="ES256", kid="e1"), [KEYS[1] | {"crv": "P-384"}]),
    "a point beside its curve": lambda: (sign(key=EC, alg="ES256", kid="e1"), [KEYS[1] | {"y": KEYS[1]["x"]}]),
}


@pytest.mark.parametrize("name", SETS)
def test_a_key_that_nobody_should_believe_opens_nothing(name: str) -> None:
    token, keys = SETS[name]()
    assert verdict(token, keys) != ""


def test_what_is_refused_is_refused_for_its_key() -> None:
    # The controls: the same calls with good keys are believed, so no row above is refused for something else.
    assert verdict(sign(), [PUBLIC]) == ""
    assert verdict(sign(key=made(65537, 2048)), [published(made(65537, 2048))]) == ""
    assert verdict(sign(key=EC, alg="ES256", kid="e1"), [KEYS[1]]) == ""
    numbers = rsa_numbers(roca())
    assert is_weak_rsa(numbers.n, numbers.e)
    assert numbers.n.bit_length() == 2048
    assert not gives_a_secret_away(KEYS)


def test_honest_keys_do_not_have_the_form_of_broken_ones() -> None:
    for _ in range(5):
        numbers = rsa.generate_private_key(65537, 2048).public_key().public_numbers()
        assert not is_weak_rsa(numbers.n, numbers.e)

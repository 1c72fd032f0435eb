"""RSA keys that anybody can break, and sets that say more than they may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

__all__ = ["gives_a_secret_away", "is_weak_rsa"]

SHORTEST_BITS = 2048
EXPONENT = 65537
_PRIMES = (
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
)  # fmt: skip
_SECRETS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
"""Members of private and symmetric keys (RFC 7518, sections 6.2.2, 6.3.2 and 6.4)."""


@cache
def _powers(prime: int) -> frozenset[int]:
    found, value = set(), 1
    while value not in found:
        found.add(value)
        value = value * EXPONENT % prime
    return frozenset(found)


def is_weak_rsa(modulus: int, exponent: int) -> bool:
    """Whether a public key is too short, has another exponent than 65537, or has the form of ROCA.

    ROCA: chips of one maker drew primes ``k·M + (65537^a mod M)``, so that the modulus is a power of 65537 modulo every
    small prime; of other keys about one in 2^27 is (Nemec et al., *The Return of Coppersmith's Attack*, CCS 2017,
    section 2.2).
    """
    if modulus.bit_length() < SHORTEST_BITS or exponent != EXPONENT:
        return True
    return all(modulus % prime in _powers(prime) for prime in _PRIMES)


def gives_a_secret_away(keys: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a published set holds part of a private key, or a symmetric one: then anybody may have signed."""
    return any(_SECRETS & key.keys() for key in keys)

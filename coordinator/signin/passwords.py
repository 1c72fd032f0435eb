"""Passwords and one-time codes of the local provider. Every check costs the same, whoever it is about."""

from __future__ import annotations

import base64
import hmac
import threading
from functools import cache

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret

__all__ = ["hash_password", "new_totp_secret", "otpauth", "refuse_password", "right_password", "right_step"]

SHORTEST, LONGEST = 12, 128
STEP_SECONDS = 30
_HASHER = PasswordHasher()
# Each check takes 64 MiB: strangers who try passwords side by side wait for one another instead.
_ROOM = threading.BoundedSemaphore(2)


@cache
def _nobody() -> str:
    """The hash of a password that nobody knows: what an unknown name is checked against."""
    return _HASHER.hash(new_secret(32).hex())


def refuse_password(password: str, name: str) -> None:
    """Refuse what is too short to be a password, or is the name.

    Raises:
        TrustQueryError: ``usage-invalid``.
    """
    if not SHORTEST <= len(password) <= LONGEST or name.lower() in password.lower():
        problem = f"a password has {SHORTEST} to {LONGEST} characters, and your name is not in it"
        raise TrustQueryError("usage-invalid", place="password", problem=problem)


def hash_password(password: str) -> str:
    """Argon2id, with its salt and parameters."""
    with _ROOM:
        return _HASHER.hash(password)


def right_password(known: str, password: str) -> bool:
    """Whether it is the password; the same work where nothing is known ("")."""
    with _ROOM:
        try:
            return _HASHER.verify(known or _nobody(), password[:LONGEST]) and bool(known)
        except (VerificationError, InvalidHashError):
            return False


def new_totp_secret() -> str:
    """160 bits, base 32, as RFC 4226 recommends."""
    return base64.b32encode(new_secret(20)).decode()


def otpauth(secret: str, name: str, federation: str) -> str:
    """What an authenticator app reads."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=f"TrustQuery {federation}")


def right_step(secret: str, code: str, now: int, after: int) -> int:
    """The 30-second step that a code is of, 0 for none: now, the step before or the step after.

    Args:
        secret: "" where nothing is known; the work is the same.
        after: the last step whose code was used: neither it nor an earlier one is good again.
    """
    clock = pyotp.TOTP(secret or "A" * 32)
    found = 0
    for step in (now // STEP_SECONDS + drift for drift in (-1, 0, 1)):
        same = hmac.compare_digest(clock.at(step * STEP_SECONDS).encode(), code.encode())
        found = step if same and step > after else found
    return found if secret else 0

"""Passwords and one-time codes: RFC 6238's own values, one use each, and the same work for nobody."""

from __future__ import annotations

import base64

import pytest

from coordinator.signin import passwords

SECRET = base64.b32encode(b"12345678901234567890").decode()
# RFC 6238, appendix B: the last six of eight digits.
VECTORS = {59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"}


@pytest.mark.parametrize("at", VECTORS)
def test_a_code_of_the_rfc_is_right_in_its_half_minute_and_the_two_beside_it(at: int) -> None:
    step = at // 30
    for near in (max(at - 30, 30), at, at + 30):
        assert passwords.right_step(SECRET, VECTORS[at], near, 0) == step
    for far in (at + 90, at + 3600):
        assert passwords.right_step(SECRET, VECTORS[at], far, 0) == 0


def test_a_code_that_was_used_or_is_older_is_not_right() -> None:
    step = 59 // 30
    assert passwords.right_step(SECRET, VECTORS[59], 59, step) == 0
    assert passwords.right_step(SECRET, VECTORS[59], 59, step + 1) == 0
    assert passwords.right_step("", VECTORS[59], 59, 0) == 0


def test_nobody_is_checked_against_a_hash_of_the_same_cost() -> None:
    known = passwords.hash_password("four words nobody says")
    assert known.split("$")[1:4] == passwords._nobody().split("$")[1:4]
    assert known.startswith("$argon2id$")
    assert passwords.right_password(known, "four words nobody says")
    assert not passwords.right_password(known, "four words nobody said")
    assert not passwords.right_password("", "four words nobody says")

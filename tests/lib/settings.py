"""A coordinator's settings, changed for tests."""

from __future__ import annotations

__all__ = ["with_keys"]


def with_keys(text: str, may: str = "approve") -> str:
    """Settings that let people sign in with their key alone: quick, without a browser, and a setting of the product."""
    changed = text.replace('key_challenge = "off"', f'key_challenge = "{may}"')
    assert changed != text
    return changed

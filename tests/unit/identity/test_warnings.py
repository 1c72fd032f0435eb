"""What ends soon is said in time, and in words that say who does what."""

from __future__ import annotations

import pytest

from tests.factories.documents import NOW, person, roster
from trustquery.identity import Revocations, Roster, SigningKey
from trustquery.identity.warnings import days_left, hours_old, warnings_of

DAY, HOUR = 86_400, 3_600
PEOPLE = (person("ann", SigningKey.generate()),)


def ending(seconds: int) -> Roster:
    return roster((), PEOPLE, issued=NOW - 20 * DAY, expires=NOW + seconds)


def said(hours: int, seconds: int = DAY) -> Revocations:
    issued = NOW - hours * HOUR
    return Revocations(federation="test", version=1, issued=issued, expires=NOW + seconds, revoked=())


@pytest.mark.parametrize(
    ("found", "statement", "words"),
    [
        (ending(7 * DAY + 1), said(23), []),
        (ending(7 * DAY), said(23), ["ends in 7 days"]),
        (ending(1), said(23), ["ends in 0 days"]),
        (ending(0), said(23), ["has expired, so every trust refuses"]),
        (None, said(23), ["no roster in force"]),
        (ending(8 * DAY), said(24), ["24 hours old"]),
        (ending(8 * DAY), said(1, 0), ["no revocation statement in force, so every trust refuses"]),
        (ending(8 * DAY), None, ["no revocation statement in force"]),
        (None, None, ["no roster", "no revocation statement"]),
    ],
)
def test_each_is_said_in_time(found: Roster | None, statement: Revocations | None, words: list[str]) -> None:
    warnings = warnings_of(found, statement, NOW)
    assert len(warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))


def test_days_and_hours_are_whole() -> None:
    assert (days_left(ending(DAY - 1), NOW), days_left(ending(DAY), NOW)) == (0, 1)
    assert (hours_old(said(2), NOW), hours_old(said(2), NOW - 3 * HOUR)) == (2, 0)

"""Disclosure profiles: which noised counts a table shows, and how coarsely. The list is closed.

A profile is presentation, not protection. What protects people is the noise that each trust added and charged; a
profile spends nothing, hides nothing from the noise's own promise, and reads noised values only. The number in a
profile's name is the largest count that it withholds; ``minimum_released_count`` is one more, and is itself shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from trustquery.errors import TrustQueryError

__all__ = ["NONE", "NOT_PROTECTION", "PROFILES", "REASONS", "Profile", "profile_named", "profile_rules", "strictest"]

NOT_PROTECTION: Final = (
    "Suppression and rounding are presentation, not protection: the noise that each trust added protects people."
)
REASONS: Final[dict[str, str]] = {
    "small-count": "the noised count is below the minimum released count",
    "rests-on-small-count": "the noised count that it rests on is suppressed",
    "rests-on-no-count": "no count of the same rows is in the query, so nothing says on how many it rests",
    "margin": "with the figures beside it, it would give a small count away",
    "made-of-suppressed": "it is computed from a suppressed figure",
}
"""Why a figure is Suppressed."""


@dataclass(frozen=True)
class Profile:
    """How noised counts are shown.

    Attributes:
        name: as permits and intents write it.
        minimum_released_count: the smallest noised count that is shown, inclusive; every smaller one is Suppressed,
            zero and negative ones too. 0: none is withheld, whatever its sign.
        rounding: counts that are shown are rounded to the nearest multiple, halves upwards; 1: not rounded.
        words: what it is, for people.
    """

    name: str
    minimum_released_count: int
    rounding: int
    words: str

    @property
    def withholds(self) -> bool:
        """Whether it changes what is shown at all."""
        return self.minimum_released_count > 0 or self.rounding > 1

    def shows(self, noised: float) -> bool:
        """Whether a noised count is shown: at the minimum it is."""
        return self.minimum_released_count == 0 or noised >= self.minimum_released_count

    def sentence(self) -> str:
        """What it did, for people."""
        if not self.withholds:
            return "No count is withheld for being small, and none is rounded."
        return f"Disclosure profile {self.name}: {profile_rules(self.minimum_released_count, self.rounding)}."

    def document(self) -> dict[str, Any]:
        """JSON data."""
        return {
            "profile": self.name,
            "minimum_released_count": self.minimum_released_count,
            "rounding": self.rounding,
        }


def profile_rules(minimum_released_count: int, rounding: int) -> str:
    """A minimum and a rounding in words."""
    parts = []
    if minimum_released_count:
        parts.append(f"noised counts below {minimum_released_count:,} are Suppressed")
    if rounding > 1:
        parts.append(f"the others are rounded to the nearest {rounding:,}")
    return ", and ".join(parts) or "no count is withheld or rounded"


NONE = Profile("none", 0, 1, "Every noised figure is shown as it is. The noise alone protects.")
_ROWS = (
    NONE,
    Profile(
        "nhs-hes", 8, 5,
        "The rule of hospital episode statistics for figures below national level: 7 and below suppressed, the rest "
        "to the nearest 5. A table is of the trusts that answered, never of the nation, so it holds for every table.",
    ),
    Profile("opensafely-7-5", 8, 5, "OpenSAFELY's rule: 7 and below suppressed, the rest to the nearest 5."),
    Profile("hdruk-10-10", 11, 10, "Cohort discovery's rule: 10 and below suppressed, the rest to the nearest 10."),
    Profile(
        "acro-threshold-10", 11, 1,
        "ACRO's threshold of 10, read the stricter way: 10 itself is suppressed too. Nothing is rounded. ACRO's "
        "dominance rules need raw rows and are not offered.",
    ),
)  # fmt: skip
PROFILES: Final[dict[str, Profile]] = {profile.name: profile for profile in _ROWS}


def profile_named(name: str) -> Profile:
    """The profile of this name.

    Raises:
        TrustQueryError: ``policy-profile-unknown``: there is none, so nothing may be shown under it.
    """
    found = PROFILES.get(name)
    if found is None:
        raise TrustQueryError(
            "policy-profile-unknown", place="disclosure_profile", profile=name, known=", ".join(PROFILES)
        )
    return found


def strictest(profiles: Iterable[Profile]) -> Profile:
    """The largest minimum and the coarsest rounding of several profiles, combined.

    Its name is that of the profile that is as strict as that by itself; else the names of all that made it so, with +.

    Raises:
        ValueError: there is none to combine.
    """
    found = sorted(set(profiles), key=lambda profile: profile.name)
    least = max(profile.minimum_released_count for profile in found)
    rounding = max(profile.rounding for profile in found)
    for profile in found:
        if (profile.minimum_released_count, profile.rounding) == (least, rounding):
            return profile
    parts = [one for one in found if one.minimum_released_count == least or one.rounding == rounding]
    return Profile("+".join(one.name for one in parts), least, rounding, "The strictest of several profiles, combined.")

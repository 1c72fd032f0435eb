"""Which disclosure profile a result is shown under: the strictest that its project and its trusts ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trustquery.identity import Answer
from trustquery.outputs.profiles import Profile, profile_named, strictest
from trustquery.protocol.answers import disclosure_floor

__all__ = ["Wanted", "wanted"]


@dataclass(frozen=True)
class Wanted:
    """The profile in use, and who asks for what.

    Attributes:
        project: the profile of the project's permit, which the signed intent names.
        floors: by trust that answered: what it asks for at least, as it signed.
    """

    profile: Profile
    project: str
    floors: Mapping[str, str]

    def sentence(self) -> str:
        """Who asked for what, for people."""
        asked = "; ".join(
            [
                f"the project asks for {self.project}",
                *(f"{node} for at least {name}" for node, name in sorted(self.floors.items())),
            ]
        )
        return f"Whose profile: {asked}. The strictest is used."

    def document(self) -> dict[str, Any]:
        """JSON data: the profile's rules and whose they are."""
        by = [f"project:{self.project}", *(f"trust:{node}:{name}" for node, name in sorted(self.floors.items()))]
        return self.profile.document() | {"asked_by": by}


def wanted(project: str, answers: Iterable[Answer]) -> Wanted:
    """The strictest of the project's profile and what the trusts that answered ask for.

    Args:
        project: the name in the intent.
        answers: verified, of the trusts that are in the result.

    Raises:
        TrustQueryError: ``policy-profile-unknown``: one of them names a profile that this version does not know, so
            nothing may be shown; ``auth-document``.
    """
    floors = {answer.node: name for answer in answers if (name := disclosure_floor(answer)) is not None}
    profile = strictest(profile_named(name) for name in (project, *floors.values()))
    return Wanted(profile, project, floors)

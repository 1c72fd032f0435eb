"""Who on the committee signed a document, and that none of them has a part in what they decide."""

from __future__ import annotations

from collections.abc import Iterable

from trustquery.access import has_a_part
from trustquery.identity import Envelope, Person, Roster, key_id
from trustquery.projects.application import Application

__all__ = ["require_outsiders", "signers_of"]


def signers_of(envelope: Envelope, roster: Roster) -> tuple[Person, ...]:
    """The committee members who signed, in the roster's order; different people, because the roster lists each once.

    Raises:
        TrustQueryError: ``auth-document``: a signature is wrong, or none is a member's.
    """
    good = envelope.require(roster.committee_ring, 1)
    return tuple(item for item in roster.committee if key_id(bytes.fromhex(item.key)) in good)


def require_outsiders(signers: Iterable[Person], application: Application, applicant: str, action: str) -> None:
    """Refuse where a signer applied, is on the team, or signs with a key of the team's.

    Raises:
        TrustQueryError: ``auth-not-permitted``.
    """
    people = {applicant, *(member.person for member in application.team)}
    keys = {member.key for member in application.team}
    for signer in signers:
        if signer.person in people or signer.key in keys:
            raise has_a_part(action)

"""What trusts say of permits, as their nodes send it: verified against the roster, kept with a line in the record."""

from __future__ import annotations

from dataclasses import dataclass

from coordinator.projects.desks import EARLY_SECONDS, Desk
from coordinator.projects.settling import settle
from coordinator.store import StanceRow
from trustquery.errors import TrustQueryError
from trustquery.identity import NodeEntry, ring_of
from trustquery.projects.decisions import Stance

__all__ = ["StanceDesk", "check_said", "in_words", "read_stance"]


def read_stance(data: bytes, node: NodeEntry, federation: str) -> Stance:
    """Read a stance that this very node signed about itself.

    Args:
        data: the envelope.
        node: the roster's entry of the node whose stream it came on.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    stance, _, envelope = Stance.verify(data, ring_of([node.key]), 1)
    if (stance.federation, stance.node) != (federation, node.node):
        raise TrustQueryError("auth-document", document="stance", problem="it speaks for another trust or federation")
    if len(envelope.signatures) != 1:
        raise TrustQueryError("auth-document", document="stance", problem="the node alone signs it")
    return stance


def check_said(stance: Stance, now: int) -> None:
    """Refuse a stance of the future: it would hide every later word of that trust.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    if stance.said > now + EARLY_SECONDS:
        raise TrustQueryError("auth-document", document="stance", problem="it comes from the future")


def in_words(stance: Stance) -> str:
    """A stance as the record has it: what the trust said, in its own words."""
    if stance.word == "declined":
        return f"declines the permit: {stance.reason}"
    if stance.conditions:
        return "accepts the permit with conditions: " + "; ".join(stance.conditions)
    return "accepts the permit"


@dataclass(frozen=True)
class StanceDesk(Desk):
    """Where trusts' words come in: the port ``coordinator.fleet.session.Stances``."""

    def take(self, node: str, envelope: bytes) -> None:
        """Verify a stance and keep it; one that says nothing new changes nothing.

        Raises:
            TrustQueryError: ``auth-document``; ``auth-certificate``: the node is not on the roster;
                ``project-unknown``: it is about no permit of that project; ``config-missing``: there is no roster yet.
        """
        roster, now = self.rosters.current(), self.clock()
        entry = roster.node(node)
        if entry is None:
            raise TrustQueryError("auth-certificate")
        stance = read_stance(envelope, entry, self.federation)
        check_said(stance, now)
        with self.store.projects.change(stance.project, now) as change:
            if all(row.permit_hash != stance.permit_hash for row in change.permits()):
                raise TrustQueryError("project-unknown", project=stance.project)
            row = StanceRow(
                project=stance.project,
                node=node,
                permit_hash=stance.permit_hash,
                word=stance.word,
                envelope=envelope,
                said=stance.said,
            )
            if change.put_stance(row):
                action = "decline" if stance.word == "declined" else "accept"
                change.note(action, entry.name, f"{entry.name} {in_words(stance)}")
                settle(change, stance.project, self.rosters, now)

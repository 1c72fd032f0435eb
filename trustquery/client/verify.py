"""What the client checks for itself, so that the coordinator need not be believed."""

from __future__ import annotations

import json
import time

from trustquery.client.config import ClientHome
from trustquery.errors import TrustQueryError
from trustquery.identity import Permit, Root, Roster

__all__ = ["read_permit", "read_roster"]


def read_roster(home: ClientHome, envelope: str) -> Roster:
    """Verify the roster against the root kept here; versions never go backwards.

    Raises:
        TrustQueryError: ``auth-document``, ``policy-document-stale``.
    """
    root = Root.from_payload(home.root.read_bytes())
    roster, _, _ = Roster.verify(envelope.encode(), root.ring, root.threshold)
    now = time.time()
    if roster.federation != root.federation:
        raise TrustQueryError("auth-document", document="roster", problem="it is another federation's")
    seen = home.read_json(home.seen)
    newest = seen.get("roster", 0)
    if roster.version < newest or not roster.issued <= now + 300 or roster.expires <= now:
        raise TrustQueryError("policy-document-stale", document="roster")
    if roster.version > newest:
        home.replace_private(home.seen, json.dumps(seen | {"roster": roster.version}).encode())
    return roster


def read_permit(envelope: str, roster: Roster, project: str) -> Permit:
    """Verify a permit against the committee on the roster.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    permit, _, _ = Permit.verify(envelope.encode(), roster.committee_ring, roster.committee_threshold)
    if permit.federation != roster.federation or permit.project != project:
        raise TrustQueryError("auth-document", document="permit", problem="it is another project's")
    return permit

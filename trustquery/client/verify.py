"""What the client checks for itself, so that the coordinator need not be believed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from trustquery.client.config import ClientHome
from trustquery.errors import TrustQueryError
from trustquery.identity import Permit, Revocations, Root, Roster
from trustquery.identity.rotation import follow

__all__ = ["read_permit", "read_permitted", "read_roster", "read_standing"]


def _newest_root(home: ClientHome, chain: Iterable[str]) -> Root:
    """The newest root that follows from the one kept here; none goes backwards."""
    root = follow(Root.from_payload(home.root.read_bytes()), (item.encode() for item in chain))
    seen = home.read_json(home.seen)
    known = seen.get("root", 1)
    if root.version < known:
        raise TrustQueryError("policy-document-stale", document="root")
    if root.version > known:
        home.replace_private(home.seen, json.dumps(seen | {"root": root.version}).encode())
    return root


def read_standing(home: ClientHome, found: Mapping[str, Any]) -> tuple[Roster, Revocations | None]:
    """Verify what the coordinator passed on of the federation: roots, roster, revocation statement.

    Nodes and committee members whose keys have been revoked are left off the roster.

    Returns:
        The roster and the statement; None before the first by a key that the roster names now. Nodes then refuse every
        query, so a client has nothing to refuse.

    Raises:
        TrustQueryError: ``auth-document``; ``policy-document-stale``: older than one already seen, or held back.
    """
    roster = read_roster(home, str(found["roster"]), [str(item) for item in found.get("roots", [])])
    seen = home.read_json(home.seen)
    numbers = dict(seen.get("revocations", {}))
    newest = max((numbers.get(name, 0) for name in roster.statement_ring), default=0)
    envelope = str(found.get("revocations", ""))
    if not envelope and not newest:
        return roster, None
    if not envelope:
        raise TrustQueryError("policy-document-stale", document="revocations")
    statement, signers, _ = Revocations.verify(envelope.encode(), roster.statement_ring, 1)
    if statement.federation != roster.federation:
        raise TrustQueryError("auth-document", document="revocations", problem="it is another federation's")
    if statement.version < newest:
        raise TrustQueryError("policy-document-stale", document="revocations")
    if statement.version > newest:
        numbers |= dict.fromkeys(signers, statement.version)
        home.replace_private(home.seen, json.dumps(seen | {"revocations": numbers}).encode())
    standing = {
        "nodes": tuple(item for item in roster.nodes if not statement.has_key(item.key)),
        "committee": tuple(item for item in roster.committee if not statement.has_key(item.key)),
    }
    return roster.model_copy(update=standing), statement


def read_roster(home: ClientHome, envelope: str, chain: Iterable[str]) -> Roster:
    """Verify the roster against the newest root that follows from the one kept here; versions never go backwards.

    Raises:
        TrustQueryError: ``auth-document``, ``policy-document-stale``.
    """
    root = _newest_root(home, chain)
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


def read_permitted(home: ClientHome, found: Mapping[str, Any], project: str) -> tuple[Roster, Permit]:
    """Verify what the coordinator passed on of the federation, and a project's permit by it.

    Raises:
        TrustQueryError: ``auth-document``, ``policy-document-stale``; ``auth-revoked``: the permit was revoked.
    """
    roster, statement = read_standing(home, found)
    permit = read_permit(str(found["permit"]), roster, project)
    if statement is not None and permit.sha256 in statement.ids("permit"):
        raise TrustQueryError("auth-revoked", what="the project's permit")
    return roster, permit

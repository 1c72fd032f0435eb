"""Nothing that the federation says goes backwards: the ledger knows the newest root, roster and statement seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from trustquery.errors import TrustQueryError
from trustquery.identity import Revocations, Root, Roster, key_id

__all__ = ["Seen", "see_root", "see_roster", "see_statement"]


class Seen(Protocol):
    """Where versions seen are noted: the ledger, so that a file that is put back changes nothing."""

    def see(self, kind: str, name: str, version: int, sha256: str, now: int) -> None:
        """Note a version; raises ``policy-document-stale`` when it goes backwards."""
        ...

    def seen(self, kind: str, name: str) -> tuple[int, str] | None:
        """The newest version seen and its hash, or None."""
        ...


def see_root(seen: Seen, root: Root, now: int) -> None:
    """Require that no later root is known.

    The first root is the one that people confirmed at enrolment; it becomes an entry only when another follows it.

    Raises:
        TrustQueryError: ``policy-document-stale``.
    """
    if root.version > 1 or seen.seen(Root.KIND, root.federation) is not None:
        seen.see(Root.KIND, root.federation, root.version, root.sha256, now)


def see_roster(seen: Seen, roster: Roster, now: int) -> None:
    """Require that no later roster is known.

    Raises:
        TrustQueryError: ``policy-document-stale``.
    """
    seen.see(Roster.KIND, roster.federation, roster.version, roster.sha256, now)


def see_statement(seen: Seen, statement: Revocations, signers: Iterable[str], roster: Roster, now: int) -> None:
    """Require that no later statement is known by any key that the roster names now.

    Versions are counted by signer. A stolen statement key can use up every number, and revoke everybody; the root then
    leaves it off the next roster, and its numbers bind nobody any more (TUF 1.0, section 5.3.11).

    Args:
        signers: ids of the keys of the roster that signed it.

    Raises:
        TrustQueryError: ``policy-document-stale``.
    """
    for key in roster.statement_keys:
        known = seen.seen(Revocations.KIND, key_id(bytes.fromhex(key)))
        if known is not None and known[0] >= statement.version and known[1] != statement.sha256:
            raise TrustQueryError("policy-document-stale", document=Revocations.KIND)
    for signer in sorted(signers):
        seen.see(Revocations.KIND, signer, statement.version, statement.sha256, now)

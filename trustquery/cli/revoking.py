"""The delegate's list: what has been revoked so far, and why. It stays with the delegate; statements are made from it.

JSON in a file of the delegate's own. The reasons never leave it: they may be about people, and statements are public.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trustquery.errors import TrustQueryError
from trustquery.identity.documents import Name, Seconds, Words
from trustquery.identity.federation import Revocations, Revoked

if TYPE_CHECKING:
    from trustquery.identity import Roster

__all__ = ["Entry", "RevocationList", "read_list", "write_list"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Entry(_Part):
    """One revocation, with what only the delegate needs to know of it."""

    what: Revoked
    reason: Words
    added: Seconds


class RevocationList(_Part):
    """The list.

    Attributes:
        statements: how many statements were made from it: the version of the last.
        entries: in the order in which they were added; none is ever taken away.
    """

    format: Literal["tq-revocation-list-1"] = "tq-revocation-list-1"
    federation: Name
    statements: Annotated[int, Field(ge=0)] = 0
    entries: tuple[Entry, ...] = ()

    def with_entry(self, entry: Entry) -> RevocationList:
        """One more; what is on the list already stays as it is.

        Raises:
            TrustQueryError: ``usage-invalid``: it is on the list with an earlier or later end.
        """
        for known in self.entries:
            if (known.what.kind, known.what.id) == (entry.what.kind, entry.what.id):
                if known.what != entry.what:
                    raise TrustQueryError(
                        "usage-invalid", problem="it is on the list with another --until: leave it out"
                    )
                return self
        return self.model_copy(update={"entries": (*self.entries, entry)})

    def statement(self, now: int, seconds: int) -> Revocations:
        """The next statement: everything on the list that has not expired by itself.

        Args:
            seconds: how long it counts at most, ≤ 30 days.
        """
        lasting = (item.what for item in self.entries if item.what.until == 0 or item.what.until > now)
        return Revocations(
            federation=self.federation,
            version=self.statements + 1,
            issued=now,
            expires=now + seconds,
            revoked=tuple(sorted(lasting, key=lambda item: (item.kind, item.id))),
        )


def read_list(path: Path, *, begin: str = "") -> RevocationList:
    """The delegate's list.

    Args:
        begin: the federation's name, where a list may be begun if there is none; "" where one has to be there.

    Raises:
        TrustQueryError: ``config-missing``, ``config-invalid``.
    """
    try:
        if begin and not path.exists():
            return RevocationList(federation=begin)
        return RevocationList.model_validate_json(path.read_bytes())
    except OSError as error:
        instead = "restore it, for it holds every revocation; only the very first is begun with --federation NAME"
        raise TrustQueryError("config-missing", path=path, instead=instead) from error
    except ValidationError as error:
        raise TrustQueryError("config-invalid", place=str(path), problem="it is not a list of revocations") from error


def write_list(path: Path, found: RevocationList) -> None:
    """Replace the list, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(found.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")
    temporary.chmod(0o600)
    temporary.replace(path)


def key_of_node(roster: Roster, node: str) -> str:
    """The identity key of a node.

    Raises:
        TrustQueryError: ``node-unknown``.
    """
    entry = roster.node(node)
    if entry is None:
        raise TrustQueryError("node-unknown", node=node)
    return entry.key

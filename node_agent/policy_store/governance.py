"""Who decides for this trust: the listed personal keys that sign policies and acceptances.

``startup/governance.json`` is written once, by ``tq-node config init``. At least two people must sign.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trustquery.errors import TrustQueryError
from trustquery.identity import Person, SigningKey, canonical, key_id

__all__ = ["GovernanceList", "load_governance", "save_governance"]


class GovernanceList(BaseModel):
    """The people whose signatures count, and how many of them are needed (at least 2)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    format: Literal["tq-governance-1"]
    people: tuple[Person, ...] = Field(min_length=2)
    threshold: int = Field(ge=2)

    @model_validator(mode="after")
    def _coherent(self) -> GovernanceList:
        if len({item.key for item in self.people}) != len(self.people):
            raise ValueError("each person has a key of their own")
        if len({item.person for item in self.people}) != len(self.people) or self.threshold > len(self.people):
            raise ValueError("distinct people, no fewer than the threshold")
        return self

    @property
    def ring(self) -> dict[str, bytes]:
        """Key id to public key."""
        return {key_id(bytes.fromhex(item.key)): bytes.fromhex(item.key) for item in self.people}

    def require(self, keys: list[SigningKey], action: str) -> None:
        """Refuse unless enough different listed people hold out their keys.

        Raises:
            TrustQueryError: ``auth-not-allowed``.
        """
        if len({key.key_id for key in keys} & set(self.ring)) < self.threshold:
            raise TrustQueryError(
                "auth-not-allowed", action=f"{action}: it takes the keys of {self.threshold} governance people"
            )


def save_governance(path: Path, listed: GovernanceList) -> None:
    """Write the list; an existing one is never overwritten.

    Raises:
        TrustQueryError: ``config-exists``.
    """
    if path.exists():
        raise TrustQueryError("config-exists", path=path)
    path.write_bytes(canonical.encode(listed.model_dump(mode="json")) + b"\n")


def load_governance(path: Path) -> GovernanceList:
    """Read the list.

    Raises:
        TrustQueryError: ``config-missing``, ``config-invalid``.
    """
    try:
        return GovernanceList.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise TrustQueryError(
            "config-missing", path=path, instead="name two governance people: `tq-node config init --governance …`"
        ) from error
    except ValidationError as error:
        raise TrustQueryError(
            "config-invalid", place=str(path.name), problem="the governance list is not valid"
        ) from error

"""Who decides for a trust, and the orders that they sign beside policies and acceptances.

The first list of people is written once, when a node's home is made; nobody signs it. Each later list is a signed
document: the people of the list in force sign the next one, which names the hash of the one before.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from trustquery.errors import TrustQueryError
from trustquery.identity.documents import Document, Hex32, Name, Person
from trustquery.identity.keys import SigningKey, key_id, ring_of

__all__ = ["GovernanceList", "Order", "loosenings", "successor", "without"]


class GovernanceList(Document):
    """The people whose signatures count at one trust, and how many of them are needed (at least 2).

    Attributes:
        version: 1 for the list a home was made with; each next list has the next number.
        trust: the node's name; "" in the first list, which is older than the name.
        previous: hash of the list before; "" in the first.
    """

    KIND: ClassVar[str] = "governance"
    format: Literal["tq-governance-1"]
    people: tuple[Person, ...] = Field(min_length=2, max_length=12)
    threshold: int = Field(ge=2)
    version: int = Field(default=1, ge=1)
    trust: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")] = ""
    previous: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The first list is the same bytes as before lists had versions."""
        found: dict[str, Any] = handler(self)
        if self.version == 1:
            for name in ("version", "trust", "previous"):
                del found[name]
        return found

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if len({item.key for item in self.people}) != len(self.people):
            raise ValueError("each person has a key of their own")
        if len({item.person for item in self.people}) != len(self.people) or self.threshold > len(self.people):
            raise ValueError("distinct people, no fewer than the threshold")
        if (self.version == 1) != (self.previous == "") or (self.version == 1) != (self.trust == ""):
            raise ValueError("every list but the first names its trust and the list before it")
        return self

    @property
    def ring(self) -> dict[str, bytes]:
        """Key id to public key."""
        return ring_of(item.key for item in self.people)

    def names(self, keys: frozenset[str]) -> tuple[str, ...]:
        """Names of the people with these key ids, in the order of the list."""
        return tuple(item.name for item in self.people if key_id(bytes.fromhex(item.key)) in keys)

    def require(self, keys: list[SigningKey], action: str) -> None:
        """Refuse unless enough different listed people hold out their keys.

        Raises:
            TrustQueryError: ``auth-not-allowed``.
        """
        if len({key.key_id for key in keys} & set(self.ring)) < self.threshold:
            raise TrustQueryError(
                "auth-not-allowed", action=f"{action}: it takes the keys of {self.threshold} governance people"
            )


class Order(Document):
    """What governance people order a node to do beside putting documents in force.

    Attributes:
        act: ``resume`` answering after a stop, ``withdraw`` a change that waits, ``adopt`` another copy of the ledger
            in the place of a frozen one, or ``exhaust`` the budget of a frozen ledger that goes on.
        about: the hash of the ledger entry of that very stop, so that an order to resume works once; of the change; or
            of the head that witnesses hold and the frozen ledger does not extend.
    """

    KIND: ClassVar[str] = "order"
    federation: Name
    node: Name
    act: Literal["resume", "withdraw", "adopt", "exhaust"]
    about: Hex32


def loosenings(old: GovernanceList, new: GovernanceList) -> tuple[str, ...]:
    """In plain English, what a next list makes easier; nothing where it only takes people away or asks for more."""
    found = []
    known = {item.person: item for item in old.people}
    for item in new.people:
        before = known.get(item.person)
        if before is None:
            found.append(f"{item.name} ({item.person}) may sign from then on.")
        elif before.key != item.key:
            found.append(f"{item.name} ({item.person}) signs with another key from then on.")
        elif before != item:
            found.append(f"{before.name} ({item.person}) is called {item.name} from then on.")
    if new.threshold < old.threshold:
        found.append(f"{new.threshold} people are enough from then on, not {old.threshold}.")
    return tuple(found)


def successor(old: GovernanceList, trust: str, people: tuple[Person, ...], threshold: int) -> GovernanceList:
    """The next list, not signed yet.

    Raises:
        TrustQueryError: ``usage-invalid``: fewer than two people, or the same person or key twice.
    """
    try:
        return GovernanceList(
            format="tq-governance-1",
            people=people,
            threshold=threshold,
            version=old.version + 1,
            trust=trust,
            previous=old.sha256,
        )
    except ValueError as error:
        raise TrustQueryError(
            "usage-invalid",
            place="the governance list",
            problem=f"{threshold} of {len(people)} is no list: at least two different people, each with their own key, "
            "and no fewer than have to sign",
        ) from error


def without(old: GovernanceList, trust: str, person: str) -> GovernanceList:
    """The next list with one person taken away.

    Raises:
        TrustQueryError: ``usage-invalid``: nobody of that name, or too few people would be left.
    """
    left = tuple(item for item in old.people if item.person != person)
    if len(left) == len(old.people):
        listed = ", ".join(item.person for item in old.people)
        raise TrustQueryError("usage-invalid", place="PERSON", problem=f"nobody here is called that; listed: {listed}")
    return successor(old, trust, left, old.threshold)

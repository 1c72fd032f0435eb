"""What every log's entries are alike in: canonical bytes, hashed as a leaf, read back only from those very bytes."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import ValidationError

from trustquery.errors import TrustQueryError
from trustquery.identity import canonical
from trustquery.identity.documents import Part
from trustquery.log.tree import leaf_hash

__all__ = ["Logged"]


class Logged(Part):
    """Base of the entries of a log.

    Attributes:
        NAME: of such an entry, in errors.
        LATER: fields that came later. An entry without one is written without it: entries from before keep their hash.
    """

    NAME: ClassVar[str]
    LATER: ClassVar[tuple[str, ...]] = ()

    def payload(self) -> bytes:
        """Canonical bytes: what is hashed."""
        absent = {name for name in self.LATER if not getattr(self, name)}
        return canonical.encode(self.model_dump(mode="json", exclude=absent))

    @property
    def hash(self) -> bytes:
        """RFC 6962 leaf hash."""
        return leaf_hash(self.payload())

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Read canonical bytes.

        Raises:
            TrustQueryError: ``auth-document``.
        """
        canonical.decode(payload, document=cls.NAME)
        try:
            found = cls.model_validate_json(payload)
        except ValidationError as error:
            raise TrustQueryError("auth-document", document=cls.NAME, problem="a field is not valid") from error
        if found.payload() != payload:
            raise TrustQueryError("auth-document", document=cls.NAME, problem="it is not canonical")
        return found

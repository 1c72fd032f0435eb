"""One query as a policy sees it: the text, the signed documents and the clock; never data.

The record is plain data with one spelling, so a node can store what it decided on and replay it against another policy.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, ValidationError

from trustquery.errors import TrustQueryError
from trustquery.identity.documents import BigInteger, Name
from trustquery.policy.asking import Grain
from trustquery.policy.reading import read_model

__all__ = ["PolicyRequest"]

Word = Annotated[str, Field(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Used = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]* (person-key|dimension|measure|join-only|forbidden) "
        r"(key|band|value|filter|join|count|other)$"
    ),
]
_SORTED = PlainSerializer(sorted, return_type=list[str])
Words = Annotated[frozenset[Word], Field(min_length=1), _SORTED]


class PolicyRequest(BaseModel):
    """One query as a policy sees it.

    Attributes:
        node: this node's name.
        role: what the member is in the project.
        dataset: the catalogue's id; ``tables`` are the tables read.
        query_hash: of the model.
        uses: what is done with each column, written ``TABLE.COLUMN ROLE USE``; the role is the catalogue's.
        date_grains: how fine the dates are that figures are grouped by.
        aggregates: kinds of the query's aggregates.
        rho_nano: the charge, in 1e-9 rho; ``delta_atto`` in 1e-18.
        cells: cells of one block of the plan.
        released_minimum: the smallest count that the presentation profile shows; 0 where it withholds none.
        trust_key: whether the figures are grouped by the trust that answers.
        training_expires: when the person's training ends, seconds since 1970.
        revocations_age: seconds since the newest revocation statement here was issued, by the clock that never goes
            back.
        now: the node's wall clock, seconds since 1970.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    federation: Name
    node: Name
    project: Name
    person: Name
    role: Word
    organisation: Annotated[str, Field(min_length=1, max_length=4000)]
    purpose: Word
    dataset: Name
    query_hash: Hash
    tables: Words
    uses: Annotated[frozenset[Used], _SORTED]
    date_grains: Annotated[frozenset[Grain], _SORTED]
    aggregates: Words
    mode: Word
    key_kind: Word
    rho_nano: Annotated[BigInteger, Field(ge=0, le=10**15)]
    delta_atto: Annotated[BigInteger, Field(ge=0, le=10**18)]
    cells: Count
    released_minimum: Count
    opt_out_treatment: Word
    disclosure_profile: Name
    min_trusts: Count
    unknown_keys: bool
    trust_key: bool
    training_expires: Count
    revocations_age: Count
    now: Count

    def is_whole(self) -> bool:
        """Whether every field is there and of its type, however the request was made."""
        try:
            type(self).model_validate(dict(self.__dict__))
        except ValidationError:
            return False
        return True

    def document(self) -> dict[str, Any]:
        """Canonical JSON data: sets sorted, no floats, integers beyond 2^53 as decimal strings."""
        return self.model_dump(mode="json")

    @classmethod
    def from_document(cls, data: object) -> Self:
        """Read what ``document`` wrote, strictly: every field, no other, in its one spelling.

        Raises:
            TrustQueryError: ``policy-request-invalid``, ``policy-request-unknown-key``: one problem a fault.
        """
        if not isinstance(data, dict):
            raise TrustQueryError("policy-request-invalid", problem="it is not a table of fields")
        try:
            json.dumps(data)
        except (TypeError, ValueError, RecursionError) as error:
            raise TrustQueryError("policy-request-invalid", problem="it is not JSON data") from error
        found = read_model(cls, data, unknown="policy-request-unknown-key", invalid="policy-request-invalid")
        if found.document() != data:
            raise TrustQueryError("policy-request-invalid", problem="it is not in its one spelling (sets are sorted)")
        return found

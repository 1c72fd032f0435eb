"""The signed documents as typed data. ``formats.md`` is the norm for their fields.

Times are whole seconds since 1970 UTC. Hashes, keys and ids are lower-case hexadecimal. Integers beyond ±2^53
are decimal strings in the JSON. No default ever widens a permission: every field is written out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError, model_validator

from trustquery.errors import TrustQueryError
from trustquery.identity import canonical
from trustquery.identity.envelope import Envelope, sign
from trustquery.identity.keys import SigningKey, key_id

__all__ = [
    "Acceptance",
    "Answer",
    "Article6",
    "Article9",
    "BigInteger",
    "Document",
    "Input",
    "Intent",
    "KeyKind",
    "LawfulBasis",
    "Member",
    "OptOutTreatment",
    "Part",
    "Permit",
    "Person",
    "Purpose",
    "check_distinct",
]

DAY = 86_400
PERMIT_MAX_SECONDS = 90 * DAY


def _read_big(value: object) -> object:
    if isinstance(value, str):
        if (
            not value.lstrip("-").isdecimal()
            or str(int(value)) != value
            or abs(int(value)) <= canonical.MAX_SAFE_INTEGER
        ):
            raise ValueError("a decimal string stands only for integers beyond 2^53")
        return int(value)
    return value


def _write_big(value: int) -> int | str:
    return value if abs(value) <= canonical.MAX_SAFE_INTEGER else str(value)


BigInteger = Annotated[int, BeforeValidator(_read_big), PlainSerializer(_write_big, return_type=int | str)]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Words = Annotated[str, Field(min_length=1, max_length=4000)]
Seconds = Annotated[int, Field(ge=0, le=4_102_444_800)]
RhoNano = Annotated[int, Field(gt=0, le=10**15)]
DeltaAtto = Annotated[BigInteger, Field(ge=0, le=10**18)]
KeyKind = Literal["file", "keyring", "browser"]
Purpose = Literal[
    "public-health-surveillance",
    "health-service-planning",
    "health-service-evaluation",
    "health-research",
    "clinical-audit",
    "health-promotion",
]
"""The closed list. Marketing and insurance cannot be expressed."""


class Part(BaseModel):
    """Base of everything inside a signed document: no unknown field, no guessing of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Document(Part):
    """Base of every signed document.

    Attributes:
        CODES: fields whose faults have an error of their own, where the rest of the document is in order.
    """

    KIND: ClassVar[str]
    CODES: ClassVar[Mapping[str, str]] = {}

    def payload(self) -> bytes:
        """Canonical bytes: what is signed."""
        return canonical.encode(self.model_dump(mode="json"))

    @property
    def sha256(self) -> str:
        """Hash of the payload, hexadecimal."""
        return hashlib.sha256(self.payload()).hexdigest()

    def sign(self, *keys: SigningKey) -> Envelope:
        """The document in an envelope, signed by each key."""
        return sign(self.KIND, self.payload(), keys)

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Read canonical bytes.

        Raises:
            TrustQueryError: ``auth-document``: not canonical, an unknown or missing field, a value out of range; or the
                error of ``CODES``.
        """
        canonical.decode(payload, document=cls.KIND)
        try:
            return cls.model_validate_json(payload)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            at = {str(fault["loc"][0]) if fault["loc"] else "" for fault in faults}
            if at <= cls.CODES.keys():
                step = next(step for step in cls.CODES if step in at)
                raise TrustQueryError(cls.CODES[step], place=step) from error
            where = ".".join(str(step) for step in faults[0]["loc"])[:200]
            raise TrustQueryError(
                "auth-document", place=where, document=cls.KIND, problem=f"field {where or '-'} is not valid"
            ) from error

    @classmethod
    def read(cls, data: bytes) -> Self:
        """What an envelope holds. Signatures are not looked at: they were when it came in, or are next.

        Raises:
            TrustQueryError: ``auth-document``.
        """
        return cls.from_payload(Envelope.decode(data, kind=cls.KIND).payload)

    @classmethod
    def verify(cls, data: bytes, keys: Mapping[str, bytes], threshold: int) -> tuple[Self, frozenset[str], Envelope]:
        """Check an envelope's signatures, then read it.

        Returns:
            The document, the ids of the keys that signed, and the envelope.

        Raises:
            TrustQueryError: ``auth-document``.
        """
        envelope = Envelope.decode(data, kind=cls.KIND)
        good = envelope.require(keys, threshold)
        return cls.from_payload(envelope.payload), good, envelope


class Person(Part):
    """A person and one of their public keys."""

    person: Name
    name: Words
    key: Hex32


def check_distinct(people: Iterable[Person]) -> None:
    """Require that no person and no key stands twice; for validators."""
    people = list(people)
    if len({item.key for item in people}) != len(people) or len({item.person for item in people}) != len(people):
        raise ValueError("each person and each key may be listed once")


class Member(Part):
    """One person of a project, with the print of the key that signs their intents."""

    person: Name
    name: Words
    organisation: Words
    role: Literal["lead", "analyst"]
    key: Hex32
    key_kind: KeyKind
    training_body: Words
    training_expires: Seconds


Article6 = Annotated[str, Field(pattern=r"^6\(1\)\([a-f]\)( \S.*)?$", max_length=4000)]
Article9 = Annotated[str, Field(pattern=r"^9\(2\)\([a-j]\)( \S.*)?$", max_length=4000)]


class LawfulBasis(Part):
    """UK GDPR Article 6 and Article 9 conditions, each by its number and then in words, and the common law duty."""

    article_6: Article6
    article_9: Article9
    common_law: Annotated[Words, Field(pattern=r"\S")]


OptOutTreatment = Literal["applied", "exempt-with-basis", "synthetic-data"]


class Permit(Document):
    """A project approved by the data access committee: two people, at most 90 days, renewable.

    Attributes:
        application: hash of the signed application that it approves, so that whoever reads the permit can check what
            was asked for.
    """

    KIND: ClassVar[str] = "permit"
    CODES: ClassVar[Mapping[str, str]] = {"purpose": "project-purpose", "lawful_basis": "project-lawful-basis"}
    federation: Name
    project: Name
    version: int = Field(ge=1)
    application: Hex32
    title: Words
    lay_summary: Words
    purpose: Purpose
    lawful_basis: LawfulBasis
    members: tuple[Member, ...] = Field(min_length=1)
    datasets: tuple[Name, ...] = Field(min_length=1)
    rho_nano: RhoNano
    delta_atto: DeltaAtto
    opt_out_treatment: OptOutTreatment
    disclosure_profile: Name
    min_trusts: int = Field(ge=1)
    valid_from: Seconds
    expires: Seconds

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if not self.valid_from < self.expires <= self.valid_from + PERMIT_MAX_SECONDS:
            raise ValueError("a permit lives at most 90 days")
        if len({member.key for member in self.members}) != len(self.members):
            raise ValueError("each key belongs to one member")
        return self

    def member(self, print_of_key: str) -> Member | None:
        """The member whose key has this print, or None."""
        return next((m for m in self.members if key_id(bytes.fromhex(m.key)) == print_of_key), None)


class Acceptance(Document):
    """One trust's yes to one permit, signed by two of its governance people."""

    KIND: ClassVar[str] = "acceptance"
    federation: Name
    node: Name
    project: Name
    permit_hash: Hex32
    conditions: tuple[Words, ...]
    rho_nano: RhoNano
    accepted: Seconds
    expires: Seconds


class Input(Part):
    """A pinned public artefact: catalogue, codelist or look-up."""

    id: Name
    version: int = Field(ge=1)
    sha256: Hex32


class Intent(Document):
    """One query by one person. The field list is the norm of formats.md; a retry is a new release id."""

    KIND: ClassVar[str] = "intent"
    federation: Name
    release_id: Hex32
    project: Name
    permit_hash: Hex32
    query_hash: Hex32
    plan_hash: Hex32
    plan_format: Name
    catalogue_hash: Hex32
    inputs: tuple[Input, ...]
    rho_nano: RhoNano
    delta_atto: DeltaAtto
    mode: Literal["local", "secure-sum"]
    nodes: tuple[Name, ...] = Field(min_length=1)
    min_trusts: int = Field(ge=1)
    reuse: Literal["stored", "fresh"]
    opt_out_treatment: OptOutTreatment
    disclosure_profile: Name
    as_of: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    not_after: Seconds
    key_id: Hex32
    key_kind: KeyKind

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if list(self.nodes) != sorted(set(self.nodes)):
            raise ValueError("nodes are sorted and distinct")
        if self.min_trusts > len(self.nodes):
            raise ValueError("fewer nodes than min_trusts")
        return self


class Answer(Document):
    """What a node says of one release; the vector's bytes travel beside it.

    ``status`` is ``answer``, ``no-answer`` (one code for kill, error and crash) or ``refused`` (decided before any
    data were read). ``reasons`` holds problems as data; beside an answer only notes that belong to it, such as
    ``policy-bootstrap``.
    """

    KIND: ClassVar[str] = "answer"
    federation: Name
    release_id: Hex32
    query_hash: Hex32
    plan_hash: Hex32
    node: Name
    data_version: int = Field(ge=0)
    policy_hash: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    mode: Literal["local", "secure-sum"]
    status: Literal["answer", "no-answer", "refused"]
    vector_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    vector_length: int = Field(ge=0)
    rho_nano: int = Field(ge=0, le=10**15)
    ledger_seq: int = Field(ge=0)
    reasons: tuple[dict[str, Any], ...]

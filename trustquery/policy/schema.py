"""A trust's policy as a signed document: what it answers, to whom, and how much privacy loss it allows.

Nothing here has a default that permits: a list that is empty permits nothing, a cap that is missing is an error.
Privacy loss is written in rho with at most 9 decimals and delta with at most 18, so both are exact integers.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from trustquery.errors import Problem, TrustQueryError
from trustquery.identity import canonical
from trustquery.identity.documents import Document, Name
from trustquery.policy.asking import Deny, Hours, Queries, Review, Template, Who
from trustquery.policy.budgets import Budget, Caps, ProfileCaps
from trustquery.policy.countersigning import Witnesses
from trustquery.policy.data import ColumnRoles, DatasetRule, TableRule
from trustquery.policy.freshness import DocumentAges
from trustquery.policy.meaning import Means, Tighter
from trustquery.policy.numbers import atto, nano
from trustquery.policy.opting_out import OptOuts
from trustquery.policy.reading import faults, parse_toml, read_model

__all__ = [
    "Budget",
    "Caps",
    "ColumnRoles",
    "DatasetRule",
    "Deny",
    "DocumentAges",
    "Hours",
    "OptOuts",
    "Policy",
    "ProfileCaps",
    "Queries",
    "Review",
    "TableRule",
    "Template",
    "Who",
    "Witnesses",
    "atto",
    "nano",
]

FORMAT = "tq-policy-2"


def _word_or_table(value: Any) -> str:
    return "word" if isinstance(value, str) else "table"


class Policy(Document):
    """The policy of one trust; signed by its governance people and in force until a later version.

    Attributes:
        format: the version of this language.
        federation: the federation's name.
        trust: the node's name on the roster.
        version: counts up; an older one is refused for ever.
        bootstrap: true says that the trust answers without witnesses, so that a restored backup of the
            ledger would go unnoticed; every result then says "no rollback protection".
        witnesses: who must have countersigned the ledger's head; left out, nobody is named.
        budget: caps by scope.
        dataset: what may be asked about; nothing else may.
        profiles: own caps for profiles; left out, they are queries like any other.
        who: who may ask, and for what.
        queries: what a query may be like.
        documents: how old what the federation says may be.
        opt_outs: which lists of opt-outs there must be, and how old they may be; left out, a question whose opt-outs
            are to be applied is refused.
        hours: when answers are given; or ``"any"``.
        review: which queries people must look at first.
        deny: what is refused whatever the rest allows.
    """

    KIND: ClassVar[str] = "policy"
    format: Annotated[Literal["tq-policy-2"], Means("Format", Tighter.NEVER)]
    federation: Annotated[Name, Means("Federation", Tighter.NEVER)]
    trust: Annotated[Name, Means("Trust", Tighter.NEVER)]
    version: Annotated[int, Field(ge=1), Means("Version", Tighter.SILENT)]
    bootstrap: Annotated[bool, Means("The trust answers without witnesses", Tighter.OFF)]
    witnesses: Annotated[Witnesses | None, Means("Witnesses of the ledger", Tighter.PARTS)] = None
    budget: Annotated[Budget, Means("Privacy budget", Tighter.PARTS)]
    dataset: Annotated[tuple[DatasetRule, ...], Means("Datasets answered", Tighter.ENTRIES)]
    profiles: Annotated[ProfileCaps | None, Means("Caps of profiles", Tighter.PARTS)] = None
    who: Annotated[Who, Means("Who may ask", Tighter.PARTS)]
    queries: Annotated[Queries, Means("What a query may be like", Tighter.PARTS)]
    documents: Annotated[DocumentAges, Means("Age of the federation's documents", Tighter.PARTS)]
    opt_outs: Annotated[OptOuts | None, Means("Lists of opt-outs", Tighter.PARTS)] = None
    hours: Annotated[
        Annotated[Literal["any"], Tag("word")] | Annotated[Hours, Tag("table")],
        Discriminator(_word_or_table),
        Means("When answers are given", Tighter.PARTS, everything="any"),
    ]
    review: Annotated[Review, Means("What people look at before it leaves", Tighter.PARTS)]
    deny: Annotated[Deny, Means("What is always refused", Tighter.PARTS)] = Deny()

    @model_serializer(mode="wrap")
    def _as_signed(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A section that is left out is left out of the bytes as well."""
        found: dict[str, Any] = handler(self)
        for name in ("opt_outs", "profiles", "witnesses"):
            if getattr(self, name) is None:
                del found[name]
        return found

    @field_validator("format", mode="before")
    @classmethod
    def _current(cls, value: object) -> object:
        if value == "tq-policy-1":
            raise ValueError(f"tq-policy-1 is no longer read: write it again as {FORMAT}; docs/reference/policy.md")
        return value

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if len({rule.id for rule in self.dataset}) != len(self.dataset):
            raise ValueError("each dataset may be listed once")
        if "browser" in self.who.key_kinds and self.queries.browser_max_rho is None:
            raise ValueError("who.key_kinds lists browser, so queries.browser_max_rho is needed")
        if self.witnesses is not None and self.trust in self.witnesses.names:
            raise ValueError("a trust is no witness of its own ledger")
        return self

    def dataset_rule(self, dataset: str) -> DatasetRule | None:
        """The rule for a dataset, or None."""
        return next((rule for rule in self.dataset if rule.id == dataset), None)

    @classmethod
    def from_toml(cls, text: str, *, name: str = "policy.toml") -> Self:
        """Read what governance writes.

        Raises:
            TrustQueryError: ``policy-invalid``, ``policy-unknown-key``: one problem a fault.
        """
        values: list[Problem] = []
        data = parse_toml(text, invalid="policy-invalid", name=name, found=values)
        try:
            policy = read_model(cls, data, unknown="policy-unknown-key", invalid="policy-invalid")
        except TrustQueryError as error:
            known = {problem.place for problem in values}
            rest = [problem for problem in error.problems if problem.place not in known]
            raise TrustQueryError.of([*values, *rest]) from error
        if values:
            raise TrustQueryError.of(values)
        return policy

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Read the signed bytes; a key this version does not know is refused, never skipped.

        Raises:
            TrustQueryError: ``auth-document``, ``policy-invalid``, ``policy-unknown-key``.
        """
        data = canonical.decode(payload, document=cls.KIND)
        try:
            policy = cls.model_validate_json(payload)
        except ValidationError as error:
            found = list(faults(error, cls, data, unknown="policy-unknown-key", invalid="policy-invalid"))
            raise TrustQueryError.of(found) from error
        if policy.payload() != payload:
            raise TrustQueryError("auth-document", document=cls.KIND, problem="it is not canonical")
        return policy

    def summary(self) -> dict[str, Any]:
        """The policy as plain data, for a screen."""
        return self.model_dump(mode="json")

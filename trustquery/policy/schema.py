"""A trust's policy as a signed document: what it answers, to whom, and how much privacy loss it allows.

Nothing here has a default that permits: a list that is empty permits nothing, a cap that is missing is an error.
Privacy loss is written in rho with at most 9 decimals and delta with at most 18, so both are exact integers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationError,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from trustquery.errors import TrustQueryError
from trustquery.identity import canonical
from trustquery.identity.documents import Document, KeyKind, Name, OptOutTreatment, Purpose
from trustquery.policy.meaning import Means, Tighter
from trustquery.policy.reading import decimal_text, faults, parse_toml, read_model

__all__ = ["Budget", "Caps", "DatasetRule", "Deny", "Policy", "ProfileCaps", "ProjectCaps", "Queries", "atto", "nano"]

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,6})(\.[0-9]{0,17}[1-9])?")


def _reader(places: int) -> Callable[[object], object]:
    def read(value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, Decimal) and value.is_finite():
            value = decimal_text(value)
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
            raise ValueError("a plain decimal number from 0 to 9999999 is needed, such as 0.05")
        if len(value.partition(".")[2]) > places:
            raise ValueError(f"at most {places} decimal places are kept")
        return Decimal(value)

    return read


_JSON_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "string", "pattern": f"^{_DECIMAL.pattern}$"}, {"type": "number", "minimum": 0}]}
)
Rho = Annotated[
    Decimal,
    BeforeValidator(_reader(9)),
    PlainSerializer(decimal_text, return_type=str),
    Field(le=1_000_000),
    _JSON_SCHEMA,
]
Delta = Annotated[
    Decimal, BeforeValidator(_reader(18)), PlainSerializer(decimal_text, return_type=str), Field(le=1), _JSON_SCHEMA
]


def nano(rho: Decimal) -> int:
    """Rho in units of 1e-9, exact."""
    return int(rho.scaleb(9))


def atto(delta: Decimal) -> int:
    """Delta in units of 1e-18, exact."""
    return int(delta.scaleb(18))


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Caps(_Part):
    """Privacy loss allowed in one scope. A figure is the promise itself (a privacy filter), not a forecast.

    Attributes:
        rho_12_months: in any 12 months.
        rho_lifetime: for as long as the trust keeps its data.
        delta_12_months: for thresholded releases, in any 12 months; 0 while they are not allowed.
        delta_lifetime: the same, for ever.
    """

    rho_12_months: Annotated[Rho, Means("Most privacy loss in any 12 months", Tighter.LESS, unit="rho")]
    rho_lifetime: Annotated[Rho, Means("Most privacy loss for life", Tighter.LESS, unit="rho")]
    delta_12_months: Annotated[Delta, Means("Most delta in any 12 months", Tighter.LESS)]
    delta_lifetime: Annotated[Delta, Means("Most delta for life", Tighter.LESS)]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.rho_12_months > self.rho_lifetime or self.delta_12_months > self.delta_lifetime:
            raise ValueError("the 12-month cap may not be above the lifetime cap")
        return self


class ProjectCaps(_Part):
    """Privacy loss one project may cause here, over its whole life. Permit and acceptance may say less, never more."""

    rho_lifetime: Annotated[Rho, Means("Most privacy loss for life", Tighter.LESS, unit="rho")]
    delta_lifetime: Annotated[Delta, Means("Most delta for life", Tighter.LESS)]


class Budget(_Part):
    """Caps by scope; those of a dataset stand with the dataset.

    Attributes:
        node_wide: over all tables and projects of this trust.
        project: for each project.
        analyst: for each person who asks, over all their projects.
    """

    node_wide: Annotated[Caps, Means("Caps over everything this trust answers", Tighter.PARTS)]
    project: Annotated[ProjectCaps, Means("Caps of each project", Tighter.PARTS)]
    analyst: Annotated[Caps, Means("Caps of each person who asks", Tighter.PARTS)]


class DatasetRule(_Part):
    """One dataset that may be asked about.

    Attributes:
        id: the catalogue's id.
        tables: tables that may be read, or ``"all"``.
        budget: caps over all releases that read this dataset.
    """

    id: Annotated[Name, Means("Dataset", Tighter.NEVER)]
    tables: Annotated[
        Literal["all"] | tuple[Name, ...], Means("Tables that may be read", Tighter.FEWER, everything="all")
    ]
    budget: Annotated[Caps, Means("Caps over all answers from this dataset", Tighter.PARTS)]


class ProfileCaps(_Part):
    """Privacy loss that profiles of one dataset may cause here; of each dataset that is listed.

    Profiles are fixed questions about how many rows, values and totals a person has. Their answers are everybody's:
    bounds are chosen from them for every project. So they are charged to node-wide, to the dataset and to this cap, and
    to no project and no analyst. Without this section such a question is a query like any other, and so is a fresh draw
    of one. Every other rule holds for it either way.

    Attributes:
        rho_90_days: in any 90 days.
        rho_lifetime: for as long as the trust keeps its data.
    """

    rho_90_days: Annotated[
        Rho, Means("Most privacy loss by profiles of one dataset in any 90 days", Tighter.LESS, unit="rho")
    ]
    rho_lifetime: Annotated[
        Rho, Means("Most privacy loss by profiles of one dataset for life", Tighter.LESS, unit="rho")
    ]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.rho_90_days > self.rho_lifetime:
            raise ValueError("the 90-day cap may not be above the lifetime cap")
        return self


class Queries(_Part):
    """What a query may be like.

    Attributes:
        aggregates: statistics that may be asked for.
        modes: how answers may leave. ``secure-sum`` is a reserved name, refused until it is built.
        key_kinds: where an analyst's signing key may live. A ``browser`` key resists a stolen session, not the server
            that serves the page, so it needs ``browser_max_rho`` as well.
        max_rho: most privacy loss of one query.
        browser_max_rho: the lower cap for intents signed in a browser.
        max_cells: most cells of one query.
        opt_out_treatments: how the national data opt-out may be treated. ``synthetic-data`` declares that the data
            here are made up.
        disclosure_profiles: named presentation rules that a project may use.
        purposes: purposes answered.
        min_trusts: an intent that asks fewer trusts than this is answered only where ``per_trust_figures`` is true.
        unknown_keys: whether codes without a public list may be found in the data and released by threshold. Each such
            release spends a delta of 1e-9, so the delta caps of every scope must allow it too.
        per_trust_figures: whether the coordinator may see and show this trust's own noised figures. Local mode shows
            them to it, so false needs secure sum.
        show_budget_left: whether analysts are shown what share of each budget is left.
        max_queries_per_hour: most intents of one person in an hour.
        min_training_days: how much longer a member's training must be valid.
        review: whether people look at a release before it leaves. Not built yet: true is refused.
    """

    aggregates: Annotated[
        tuple[Literal["count", "count_distinct_person", "sum", "histogram"], ...],
        Means("Statistics answered", Tighter.FEWER),
    ]
    modes: Annotated[
        tuple[Literal["local", "secure-sum"], ...], Means("Ways in which answers may leave", Tighter.FEWER)
    ]
    key_kinds: Annotated[tuple[KeyKind, ...], Means("Where an analyst's signing key may live", Tighter.FEWER)]
    max_rho: Annotated[Rho, Means("Most privacy loss of one query", Tighter.LESS, unit="rho")]
    browser_max_rho: Annotated[
        Rho | None, Means("Most privacy loss of one query signed in a browser", Tighter.LESS, unit="rho")
    ] = None
    max_cells: Annotated[int, Means("Most cells of one query", Tighter.LESS)] = Field(ge=0, le=10_000_000)
    opt_out_treatments: Annotated[tuple[OptOutTreatment, ...], Means("Treatments of opt-outs accepted", Tighter.FEWER)]
    disclosure_profiles: Annotated[tuple[Name, ...], Means("Presentation profiles accepted", Tighter.FEWER)]
    purposes: Annotated[tuple[Purpose, ...], Means("Purposes answered", Tighter.FEWER)]
    min_trusts: Annotated[int, Means("Fewest trusts asked together", Tighter.MORE)] = Field(ge=1, le=10_000)
    unknown_keys: Annotated[bool, Means("Codes found in the data may be released by threshold", Tighter.OFF)]
    per_trust_figures: Annotated[bool, Means("The coordinator may see this trust's own noised figures", Tighter.OFF)]
    show_budget_left: Annotated[bool, Means("Analysts are shown what share of each budget is left", Tighter.OFF)]
    max_queries_per_hour: Annotated[int, Means("Most questions of one person in an hour", Tighter.LESS)] = Field(
        ge=0, le=100_000
    )
    min_training_days: Annotated[int, Means("Days for which training must still be valid", Tighter.MORE)] = Field(
        ge=0, le=3_650
    )
    review: Annotated[bool, Means("People look at each release before it leaves", Tighter.ON)]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if "browser" in self.key_kinds and self.browser_max_rho is None:
            raise ValueError("key_kinds lists browser, so browser_max_rho is needed")
        if not self.per_trust_figures and "local" in self.modes:
            raise ValueError('per_trust_figures = false needs modes = ["secure-sum"]: local mode shows them')
        if self.review:
            raise ValueError("review = true is not built yet")
        return self


class Deny(_Part):
    """What is refused whatever the rest allows. Deny wins.

    Attributes:
        projects: project names.
        people: person ids.
        organisations: members' organisations, as the permit writes them.
        tables: written ``dataset/table``.
    """

    projects: Annotated[tuple[Name, ...], Means("Projects refused whatever the rest allows", Tighter.LONGER)] = ()
    people: Annotated[tuple[Name, ...], Means("People refused whatever the rest allows", Tighter.LONGER)] = ()
    organisations: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...],
        Means("Organisations refused whatever the rest allows", Tighter.LONGER),
    ] = ()
    tables: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]*/[a-z][a-z0-9_]*$")], ...],
        Means("Tables refused whatever the rest allows", Tighter.LONGER),
    ] = ()


class Policy(Document):
    """The policy of one trust; signed by its governance people and in force until a later version.

    Attributes:
        trust: the node's name on the roster.
        version: counts up; an older one is refused for ever.
        bootstrap: true says that the trust answers before there are witnesses, so that a restored backup of the
            ledger would go unnoticed; every result then says "no rollback protection".
        profiles: own caps for profiles; left out, they are queries like any other.
    """

    KIND: ClassVar[str] = "policy"
    format: Annotated[Literal["tq-policy-1"], Means("Format", Tighter.NEVER)]
    federation: Annotated[Name, Means("Federation", Tighter.NEVER)]
    trust: Annotated[Name, Means("Trust", Tighter.NEVER)]
    version: Annotated[int, Means("Version", Tighter.SILENT)] = Field(ge=1)
    bootstrap: Annotated[bool, Means("The trust answers without witnesses", Tighter.OFF)]
    budget: Annotated[Budget, Means("Privacy budget", Tighter.PARTS)]
    dataset: Annotated[tuple[DatasetRule, ...], Means("Datasets answered", Tighter.ENTRIES)]
    profiles: Annotated[ProfileCaps | None, Means("Caps of profiles", Tighter.PARTS)] = None
    queries: Annotated[Queries, Means("What a query may be like", Tighter.PARTS)]
    deny: Annotated[Deny, Means("What is always refused", Tighter.PARTS)] = Deny()

    @model_serializer(mode="wrap")
    def _as_signed(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A policy without the section is the same bytes as before there was one: what was signed stays valid."""
        found: dict[str, Any] = handler(self)
        if self.profiles is None:
            del found["profiles"]
        return found

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if len({rule.id for rule in self.dataset}) != len(self.dataset):
            raise ValueError("each dataset may be listed once")
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
        data = parse_toml(text, invalid="policy-invalid", name=name)
        return read_model(cls, data, unknown="policy-unknown-key", invalid="policy-invalid")

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Read the signed bytes; a key this version does not know is refused, never skipped.

        Raises:
            TrustQueryError: ``auth-document``, ``policy-invalid``, ``policy-unknown-key``.
        """
        canonical.decode(payload, document=cls.KIND)
        try:
            policy = cls.model_validate_json(payload)
        except ValidationError as error:
            found = list(faults(error, cls, unknown="policy-unknown-key", invalid="policy-invalid"))
            raise TrustQueryError.of(found) from error
        if policy.payload() != payload:
            raise TrustQueryError("auth-document", document=cls.KIND, problem="it is not canonical")
        return policy

    def summary(self) -> dict[str, Any]:
        """The policy as plain data, for a screen."""
        return self.model_dump(mode="json")

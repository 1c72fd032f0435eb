"""Who may ask, what a query may be like, when answers are given, and what people look at first."""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from trustquery.identity.documents import KeyKind, Name, OptOutTreatment, Purpose
from trustquery.outputs.profiles import PROFILES
from trustquery.policy.meaning import Means, Part, Tighter
from trustquery.policy.numbers import Delta, Rho

__all__ = ["DAYS", "GRAINS", "Deny", "Hours", "Queries", "Review", "Template", "Who"]

Organisation = Annotated[str, Field(min_length=1, max_length=200)]
Grain = Literal["year", "quarter", "month", "week", "day", "time"]
GRAINS: tuple[Grain, ...] = ("year", "quarter", "month", "week", "day", "time")
"""How fine the dates of a key may be, coarsest first."""
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DAYS: tuple[Day, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Moment = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]


def _word_or_list(value: Any) -> str:
    return "word" if isinstance(value, str) else "list"


class Who(Part):
    """Who may ask, and for what.

    Attributes:
        projects: names of projects; or ``"any-accepted"``: every project that governance has accepted.
        organisations: members' organisations, as the permit writes them; or ``"any"``.
        roles: what a member may be in the project.
        purposes: purposes answered. The list is closed: what is not about health cannot be written.
        key_kinds: where an analyst's signing key may live. A ``browser`` key resists a stolen session, not the server
            that serves the page, so it needs ``queries.browser_max_rho`` as well.
        min_training_days: how much longer a member's training must be valid.
        max_queries_per_hour: most intents of one person in an hour.
    """

    projects: Annotated[
        Annotated[Literal["any-accepted"], Tag("word")] | Annotated[tuple[Name, ...], Tag("list")],
        Discriminator(_word_or_list),
        Means("Projects answered, once governance has accepted them", Tighter.FEWER, everything="any-accepted"),
    ]
    organisations: Annotated[
        Annotated[Literal["any"], Tag("word")] | Annotated[tuple[Organisation, ...], Tag("list")],
        Discriminator(_word_or_list),
        Means("Organisations whose members are answered", Tighter.FEWER, everything="any"),
    ]
    roles: Annotated[tuple[Literal["lead", "analyst"], ...], Means("Roles of members who are answered", Tighter.FEWER)]
    purposes: Annotated[tuple[Purpose, ...], Means("Purposes answered", Tighter.FEWER)]
    key_kinds: Annotated[tuple[KeyKind, ...], Means("Where an analyst's signing key may live", Tighter.FEWER)]
    min_training_days: Annotated[
        int, Field(ge=0, le=3_650), Means("Days for which training must still be valid", Tighter.MORE)
    ]
    max_queries_per_hour: Annotated[
        int, Field(ge=0, le=100_000), Means("Most questions of one person in an hour", Tighter.LESS)
    ]


class Queries(Part):
    """What a query may be like.

    Attributes:
        aggregates: statistics that may be asked for.
        modes: how answers may leave. ``secure-sum`` is a reserved name, refused until it is built.
        max_rho: most privacy loss of one query.
        max_delta: most delta of one query; above 0 only for thresholded releases.
        browser_max_rho: the lower cap for intents signed in a browser.
        max_cells: most cells of one query.
        finest_date: how fine the dates of a key may be.
        min_released_count: the smallest count, inclusive, that the project's presentation profile may show. 0: no
            figure is withheld for being small, and noise alone protects it.
        opt_out_treatments: how the national data opt-out may be treated. ``synthetic-data`` declares that the data
            here are made up.
        disclosure_profiles: named presentation rules that a project may use.
        disclosure_floor: the presentation profile that every table with this trust's figures gets at least, whatever
            the project's is; signed with each answer. Left out: the project's profile is enough.
        min_trusts: an intent that asks fewer trusts than this is answered only where ``per_trust_figures`` is true.
        unknown_keys: whether codes without a public list may be found in the data and released by threshold. Each such
            release spends a delta of 1e-9, so the delta caps of every scope must allow it too.
        per_trust_figures: whether the coordinator may see and show this trust's own noised figures. Local mode shows
            them to it, so false needs secure sum.
        trust_key: whether figures may be grouped by the trust that answers; needs ``per_trust_figures`` too.
        show_budget_left: whether analysts are shown what share of each budget is left.
    """

    aggregates: Annotated[
        tuple[Literal["count", "count_distinct_person", "sum", "histogram"], ...],
        Means("Statistics answered", Tighter.FEWER),
    ]
    modes: Annotated[
        tuple[Literal["local", "secure-sum"], ...], Means("Ways in which answers may leave", Tighter.FEWER)
    ]
    max_rho: Annotated[Rho, Means("Most privacy loss of one query", Tighter.LESS, unit="rho")]
    max_delta: Annotated[Delta, Means("Most delta of one query", Tighter.LESS)]
    browser_max_rho: Annotated[
        Rho | None, Means("Most privacy loss of one query signed in a browser", Tighter.LESS, unit="rho")
    ] = None
    max_cells: Annotated[int, Field(ge=0, le=10_000_000), Means("Most cells of one query", Tighter.LESS)]
    finest_date: Annotated[Grain, Means("Finest dates that figures may be grouped by", Tighter.COARSER)]
    min_released_count: Annotated[
        int, Field(ge=0, le=10_000), Means("Smallest count that a released table may show", Tighter.MORE)
    ]
    opt_out_treatments: Annotated[tuple[OptOutTreatment, ...], Means("Treatments of opt-outs accepted", Tighter.FEWER)]
    disclosure_profiles: Annotated[tuple[Name, ...], Means("Presentation profiles accepted", Tighter.FEWER)]
    disclosure_floor: Annotated[
        Name | None, Means("Presentation profile that tables with this trust's figures get at least", Tighter.NEVER)
    ] = None
    min_trusts: Annotated[int, Field(ge=1, le=10_000), Means("Fewest trusts asked together", Tighter.MORE)]
    unknown_keys: Annotated[bool, Means("Codes found in the data may be released by threshold", Tighter.OFF)]
    per_trust_figures: Annotated[bool, Means("The coordinator may see this trust's own noised figures", Tighter.OFF)]
    trust_key: Annotated[bool, Means("Figures may be grouped by the trust that answers", Tighter.OFF)]
    show_budget_left: Annotated[bool, Means("Analysts are shown what share of each budget is left", Tighter.OFF)]

    @model_serializer(mode="wrap")
    def _as_signed(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A floor that is left out is left out of the bytes as well, so that policies signed before it still read."""
        found: dict[str, Any] = handler(self)
        if self.disclosure_floor is None:
            del found["disclosure_floor"]
        return found

    @field_validator("disclosure_floor")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in PROFILES:
            raise ValueError(f"there is no such profile; write one of {', '.join(PROFILES)}")
        return name

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if not self.per_trust_figures and "local" in self.modes:
            raise ValueError('per_trust_figures = false needs modes = ["secure-sum"]: local mode shows them')
        return self


class Hours(Part):
    """When answers are given, by the trust's own clock; refused outside.

    Attributes:
        zone: the time zone, such as ``Europe/London``; summer time is that zone's.
        days: days of the week.
        start: first minute, such as ``08:00``.
        end: the minute at which it ends; ``24:00`` is midnight. Later than ``start``.
    """

    zone: Annotated[str, Field(min_length=1, max_length=64), Means("Time zone of these hours", Tighter.NEVER)]
    days: Annotated[tuple[Day, ...], Means("Days on which answers are given", Tighter.FEWER)]
    start: Annotated[Moment, Means("Time of day from which answers are given", Tighter.LATER)]
    end: Annotated[Moment, Means("Time of day at which answers end", Tighter.EARLIER)]

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("no such time zone; write one such as Europe/London") from error
        return zone

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.start >= self.end:
            raise ValueError("start must be earlier than end")
        return self


class Template(Part):
    """A question that governance has looked at and approved: it needs no review.

    Attributes:
        name: what people call it.
        query_hashes: SHA-256 of each approved model, as ``tq query check`` prints it. A question that differs in one
            bit, its budget or its date among them, is another question.
    """

    name: Annotated[Name, Means("Template", Tighter.NEVER)]
    query_hashes: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...],
        Means("Questions approved before they are asked", Tighter.FEWER),
    ]


class Review(Part):
    """Which queries people must look at before an answer leaves.

    Two people of the trust's governance list look, blind first. Their verdict leaves at a deadline that is fixed before
    data are read, never sooner; without two approvals by then nothing leaves, and the charge stays.

    Attributes:
        every_query: whether all need it.
        of: kinds of query that need it: ``unknown-keys`` (codes found in the data), ``trust-key`` (figures by trust),
            ``sum``, ``histogram``.
        above_rho: a query that costs more needs it.
        above_cells: a query with more cells needs it.
        template: pre-approved questions, which do not need it.
        minutes: how long the two people have, at most 30 days; the answer leaves when it is over. Left out, or 0, a
            query that needs a review is refused.
    """

    every_query: Annotated[bool, Means("Every query needs a review", Tighter.ON)]
    of: Annotated[
        tuple[Literal["unknown-keys", "trust-key", "sum", "histogram"], ...],
        Means("Kinds of query that need a review", Tighter.LONGER),
    ]
    above_rho: Annotated[Rho, Means("Privacy loss above which a query needs a review", Tighter.LESS, unit="rho")]
    above_cells: Annotated[
        int, Field(ge=0, le=10_000_000), Means("Cells above which a query needs a review", Tighter.LESS)
    ]
    template: Annotated[tuple[Template, ...], Means("Questions approved beforehand", Tighter.ENTRIES)]
    # A shorter time lets more intents live until its end; a longer one lets more reviews be finished.
    minutes: Annotated[
        int | None, Field(ge=0, le=43_200), Means("Minutes that a review lasts", Tighter.NEVER, unit="minutes")
    ] = None

    @model_serializer(mode="wrap")
    def _as_signed(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is left out is left out of the bytes as well: policies from before keep their hash."""
        found: dict[str, Any] = handler(self)
        if self.minutes is None:
            del found["minutes"]
        return found

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if len({item.name for item in self.template}) != len(self.template):
            raise ValueError("each template may be listed once")
        return self


class Deny(Part):
    """What is refused whatever the rest allows. Deny wins.

    Attributes:
        projects: project names.
        people: person ids.
        organisations: members' organisations, as the permit writes them.
        tables: written ``dataset/table``.
        columns: written ``dataset/table.column``; not to be used in any way.
        queries: SHA-256 of query models.
    """

    projects: Annotated[tuple[Name, ...], Means("Projects always refused", Tighter.LONGER)] = ()
    people: Annotated[tuple[Name, ...], Means("People always refused", Tighter.LONGER)] = ()
    organisations: Annotated[tuple[Organisation, ...], Means("Organisations always refused", Tighter.LONGER)] = ()
    tables: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]*/[a-z][a-z0-9_]*$")], ...],
        Means("Tables always refused", Tighter.LONGER),
    ] = ()
    columns: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]*/[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")], ...],
        Means("Columns always refused", Tighter.LONGER),
    ] = ()
    queries: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...], Means("Questions always refused", Tighter.LONGER)
    ] = ()

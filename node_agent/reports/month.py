"""What left a trust in one month, and what was refused, as data."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from node_agent.reports.changes import Change
from node_agent.reports.evidence import Known, Span

__all__ = ["Early", "Left", "Month", "Part", "Question"]


@dataclass(frozen=True)
class Question:
    """One question that reached the trust's policy.

    Attributes:
        day: days since 1970 UTC.
        person: the short name that documents use; ``name`` as on the permit, "" where no permit here has it.
        outcome: released, released again, no answer, held back, not run, under way or refused.
        reasons: rule ids where the policy refused, codes where a later step did.
        rho_nano: charged to the trust's patients, in 1e-9 rho; ``project_rho_nano`` to the project.
        recorded: whether the input of the decision is kept here.
    """

    day: int
    release_id: str
    project: str
    person: str
    name: str
    organisation: str
    dataset: str
    opt_outs: str
    query_hash: str
    outcome: str
    reasons: tuple[str, ...]
    rho_nano: int
    project_rho_nano: int
    delta_atto: int
    recorded: bool

    @property
    def left(self) -> bool:
        """Whether figures left the trust."""
        return self.outcome.startswith("released")


@dataclass(frozen=True)
class Early:
    """A refusal before the policy was asked: nothing proves who asked, so it belongs to no project."""

    first: int
    last: int
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Left:
    """What is left of one cap at the month's end, in 1e-9 rho."""

    what: str
    period: str
    cap_nano: int
    spent_nano: int

    @property
    def share(self) -> Decimal:
        """In hundredths of the cap, rounded down to one decimal; 0 where the cap is."""
        if self.cap_nano <= 0:
            return Decimal(0)
        left = Decimal(max(0, self.cap_nano - self.spent_nano)) * 100 / self.cap_nano
        return left.quantize(Decimal("0.1"), rounding=ROUND_FLOOR)


@dataclass(frozen=True)
class Part:
    """One project's month.

    Attributes:
        known: the documents kept here; None where the project's permit is not.
        left: what is left of its own caps.
    """

    project: str
    known: Known | None
    questions: tuple[Question, ...]
    left: tuple[Left, ...]

    def count(self, *outcomes: str) -> int:
        """Questions with one of these outcomes."""
        return sum(item.outcome in outcomes for item in self.questions)

    @property
    def rho_nano(self) -> int:
        """What its questions were charged to the trust's patients."""
        return sum(item.rho_nano for item in self.questions)

    @property
    def people(self) -> tuple[str, ...]:
        """Who asked, by name where it is known."""
        return tuple(sorted({item.name or item.person for item in self.questions}))

    @property
    def opt_outs(self) -> tuple[str, ...]:
        """How opt-outs were treated in what was asked, or would be by the permit."""
        asked = {item.opt_outs for item in self.questions if item.opt_outs}
        return tuple(sorted(asked)) or ((self.known.permit.opt_out_treatment,) if self.known else ())


@dataclass(frozen=True)
class Month:
    """The report."""

    span: Span
    trust: str
    node: str
    federation: str
    parts: tuple[Part, ...]
    early: tuple[Early, ...]
    changes: tuple[Change, ...]
    left: tuple[Left, ...]
    notes: tuple[str, ...]

    @property
    def questions(self) -> tuple[Question, ...]:
        """All of them, by day."""
        return tuple(sorted((item for part in self.parts for item in part.questions), key=lambda item: item.day))

    @property
    def rho_nano(self) -> int:
        """What the month cost the trust's patients."""
        return sum(part.rho_nano for part in self.parts)

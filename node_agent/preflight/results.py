"""What a check says. Every outcome is declared beside its check, so that the reference page can list them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from node_agent.network import within
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from node_agent.preflight.world import World

__all__ = [
    "FAULT",
    "NOT_ENROLLED",
    "NO_SETTINGS",
    "REFUSED",
    "SLOW",
    "Check",
    "Kind",
    "Outcome",
    "Result",
    "run_checks",
]

Kind = Literal["pass", "warn", "fail", "skipped"]


@dataclass(frozen=True)
class Outcome:
    """One thing that a check may find.

    Attributes:
        text: what was found; ``{field}`` places are filled from the result's fields.
        fix: what to do; empty where nothing needs doing.
    """

    kind: Kind
    text: str
    fix: str = ""


SLOW = Outcome("fail", "it did not end in time", "look whether the network or the disk that it looks at hangs")
FAULT = Outcome("fail", "the check itself failed ({problem})", "report it, with this line")
REFUSED = Outcome("fail", "{code}: {problem}", "{fix}")
NO_SETTINGS = Outcome("skipped", "node.toml cannot be used", "see the check `settings`")
NOT_ENROLLED = Outcome(
    "skipped", "this node is not enrolled yet", "tq-node preflight CODE checks the way to the federation"
)
ANYWHERE = (SLOW, FAULT, REFUSED, NO_SETTINGS, NOT_ENROLLED)
"""Outcomes that any check may have."""


@dataclass(frozen=True)
class Result:
    """What one check found about one thing.

    Attributes:
        about: an address, a dataset, a file of this trust's own settings; empty where there is only one thing.
    """

    outcome: Outcome
    about: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    check: str = ""

    @property
    def text(self) -> str:
        """What was found."""
        return self.outcome.text.format(**self.fields)

    @property
    def fix(self) -> str:
        """What to do."""
        return self.outcome.fix.format(**self.fields)


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        asks: what it asks, as a question.
        find: looks; every result's outcome is one of ``outcomes`` or of ``ANYWHERE``.
        seconds: the longest it may take.
    """

    name: str
    asks: str
    find: Callable[[World], Sequence[Result]]
    outcomes: tuple[Outcome, ...]
    seconds: float = 30.0


def refused(error: TrustQueryError, about: str = "") -> Result:
    """A refusal of the catalogue as a result."""
    problem = error.problem
    return Result(REFUSED, about, {"code": problem.code, "problem": problem.reason, "fix": problem.fix})


def run_checks(checks: Sequence[Check], world: World) -> Iterator[Result]:
    """Run each check in turn; what hangs is left behind, and what breaks has failed.

    Raises:
        TypeError: a check has found what it does not declare.
    """
    for check in checks:
        for result in _run(check, world):
            if result.outcome not in (*check.outcomes, *ANYWHERE):
                raise TypeError(f"{check.name}: an outcome that is not declared")
            yield Result(result.outcome, result.about, result.fields, check.name)


def _run(check: Check, world: World) -> Sequence[Result]:
    try:
        return within(check.seconds, lambda: check.find(world))
    except TimeoutError:
        return [Result(SLOW)]
    except TrustQueryError as error:
        return [refused(error)]
    except Exception as error:
        return [Result(FAULT, fields={"problem": type(error).__name__})]

"""Typed errors: code, place, reason and fix, never text from an engine or from data."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from trustquery.errors.catalogue import CATALOGUE, Entry

__all__ = ["Problem", "Problems", "TrustQueryError", "nearest"]

MAX_PROBLEMS = 100


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name closest to a mistyped one, or "" when none is close."""
    found = difflib.get_close_matches(name.lower()[:64], list(known), n=1, cutoff=0.6)
    return found[0] if found else ""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, as data: what every screen, log and wire message shows.

    Attributes:
        code: stable kebab slug, a key of ``CATALOGUE``.
        place: where: "line 3, column 14", a file and key, or a field name; "" where there is none.
        fields: values for the catalogue's text; only fields that the entry allows.
    """

    code: str
    place: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        entry = CATALOGUE.get(self.code)
        if entry is None:
            raise ValueError(f"unknown error code {self.code!r}")
        wrong = set(self.fields) ^ set(entry.fields)
        if wrong:
            raise ValueError(f"error {self.code}: fields {sorted(wrong)} are missing or not allowed")

    @property
    def entry(self) -> Entry:
        """The catalogue row of this problem's code."""
        return CATALOGUE[self.code]

    @property
    def reason(self) -> str:
        """What is wrong, in words."""
        return self.entry.text.format(**self.fields)

    @property
    def fix(self) -> str:
        """What to do next, in words."""
        return self.entry.hint.format(**self.fields)

    def document(self) -> dict[str, Any]:
        """The problem as JSON data, for APIs and ``--format json``."""
        return {
            "code": self.code,
            "place": self.place,
            "fields": dict(sorted(self.fields.items())),
            "reason": self.reason,
            "fix": self.fix,
        }

    @classmethod
    def from_document(cls, data: object) -> Problem:
        """Read a problem that another machine sent; anything unexpected becomes ``internal-fault``."""
        if isinstance(data, dict) and isinstance(data.get("fields"), dict):
            try:
                fields = {str(key)[:64]: str(value)[:500] for key, value in data["fields"].items()}
                return cls(str(data.get("code", ""))[:64], str(data.get("place", ""))[:200], fields)
            except ValueError:
                pass
        return cls("internal-fault", fields={"incident": "unreadable-problem"})

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{self.code}: {where}{self.reason}"


class TrustQueryError(Exception):
    """Every refusal and failure that a person may meet.

    Args:
        code: a key of ``CATALOGUE``.
        place: line and column, file and key, or field.
        fields: exactly the fields that the catalogue allows for the code.
    """

    def __init__(self, code: str, place: str | None = None, **fields: object) -> None:
        self.problems: tuple[Problem, ...] = (
            Problem(code, place or "", {key: str(value) for key, value in fields.items()}),
        )
        super().__init__(str(self.problems[0]))

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> TrustQueryError:
        """One error that reports several problems, in the order given (at least one)."""
        error = cls.__new__(cls)
        error.problems = tuple(problems)
        Exception.__init__(error, "; ".join(str(problem) for problem in problems))
        return error

    def __reduce__(self) -> tuple[Any, tuple[tuple[Problem, ...]]]:
        """How one process hands it to another: its problems, not its text."""
        return (type(self).of, (self.problems,))

    @property
    def problem(self) -> Problem:
        """The first problem; its code decides the exit and HTTP status."""
        return self.problems[0]

    @property
    def code(self) -> str:
        """Code of the first problem."""
        return self.problem.code

    @property
    def exit_status(self) -> int:
        """Process exit status for command lines (style guide section 4.7)."""
        return int(self.problem.entry.exit)


class Problems:
    """Collects problems so that several are reported together, sorted by position."""

    def __init__(self) -> None:
        self._found: list[tuple[tuple[int, int], Problem]] = []
        self._known: set[tuple[object, ...]] = set()

    def add(self, code: str, at: tuple[int, int] = (0, 0), /, **fields: object) -> None:
        """Note one problem at a 1-based line and column ((0, 0): nowhere in particular).

        The same problem is noted once, and no more than ``MAX_PROBLEMS`` in all: nobody reads on, and a long text of
        nothing else would make a refusal many times its own length.
        """
        line, column = at
        place = f"line {line}, column {column}" if line else ""
        problem = Problem(code, place, {key: str(value) for key, value in fields.items()})
        known = (at, code, *problem.fields.items())
        if known not in self._known and len(self._found) < MAX_PROBLEMS:
            self._known.add(known)
            self._found.append((at, problem))

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_any(self) -> None:
        """Raise one ``TrustQueryError`` with all problems found, or return when there are none."""
        if self._found:
            raise TrustQueryError.of([problem for _, problem in sorted(self._found, key=lambda item: item[0])])

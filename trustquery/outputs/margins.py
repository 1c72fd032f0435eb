"""Secondary suppression: which shown counts would give a suppressed one away, and which are withheld for it.

A table's counts hang together where its query asks for a whole and its parts: the bins of a histogram and the count of
the same rows; a count and a filtered one, whose remainder nobody asked for but anybody can take away; a filter and its
negation. Each such tie is one linear relation over the counts of one cell of the keys (no query makes margins over
keys: ROLLUP is refused, and an outer SELECT's sums are computed from what is shown).

The rule looks at noised values only and is deterministic:

1. Where all of a tie is shown but for a remainder that is not in the table, and that is below the minimum: its smallest
   part is suppressed (the first of several that are equal).
2. Where a tie that is complete has exactly one suppressed member: its smallest shown part is suppressed too; where no
   part is shown, the whole.
3. Where the ties together still fix a suppressed member (elimination over fractions): the same in the first tie that
   holds it, or else in the first that holds another suppressed one.

Every step suppresses one more, so it ends. The noise of each count is its own, so that a tie holds for the true counts
and only about for the noised ones; the rule treats it as exact, which withholds more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

__all__ = ["Tie", "fixed", "secondary"]


@dataclass(frozen=True)
class Tie:
    """``whole`` is the sum of ``parts``; and of a remainder that is not in the table, unless ``complete``."""

    whole: Hashable
    parts: tuple[Hashable, ...]
    complete: bool

    @property
    def members(self) -> tuple[Hashable, ...]:
        """All counts in it that are in the table."""
        return (*self.parts, self.whole)


def secondary(ties: Sequence[Tie], values: Mapping[Any, float], shows: Callable[[float], bool]) -> set[Hashable]:
    """Which counts are withheld for the sake of others.

    Args:
        values: every count of a tie, noised, before rounding.
        shows: whether a noised count is shown by itself.

    Returns:
        Names that ``shows`` alone would have shown.
    """
    primary = {name for name, value in values.items() if not shows(value)}
    hidden = set(primary)

    def close(tie: Tie) -> bool:
        for names in (tie.parts, (tie.whole,)):
            shown = [name for name in names if name not in hidden]
            if shown:
                hidden.add(min(shown, key=lambda name: values[name]))
                return True
        return False

    def gives_away(tie: Tie) -> bool:
        lost = sum(name in hidden for name in tie.members)
        if tie.complete:
            return lost == 1
        return not lost and not shows(values[tie.whole] - sum(values[part] for part in tie.parts))

    while True:
        if any(gives_away(tie) and close(tie) for tie in ties):
            continue
        known = fixed(ties, hidden)
        # First the ties that hold such a count; where those show nothing more, the others that it came from.
        holding = [tie for tie in ties if tie.complete and not hidden.isdisjoint(tie.members)]
        holding.sort(key=lambda tie: known.isdisjoint(tie.members))
        if not known or not any(map(close, holding)):
            return hidden - primary


def fixed(ties: Sequence[Tie], hidden: Collection[Hashable]) -> set[Hashable]:
    """The hidden counts that complete ties and the shown counts fix exactly."""
    complete = [tie for tie in ties if tie.complete]
    order = list(dict.fromkeys(name for tie in complete for name in tie.members if name in hidden))
    rows = [list(_row(tie, order)) for tie in complete]
    rank = 0
    for place in range(len(order)):
        pivot = next((number for number in range(rank, len(rows)) if rows[number][place]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        head = rows[rank][place]
        rows[rank] = [entry / head for entry in rows[rank]]
        for number, row in enumerate(rows):
            if number != rank and row[place]:
                factor = row[place]
                rows[number] = [entry - factor * top for entry, top in zip(row, rows[rank], strict=True)]
        rank += 1
    found = ([place for place, entry in enumerate(row) if entry] for row in rows[:rank])
    return {order[places[0]] for places in found if len(places) == 1}


def _row(tie: Tie, order: Sequence[Hashable]) -> Iterator[Fraction]:
    for name in order:
        yield Fraction(-1 if name == tie.whole else 1 if name in tie.parts else 0)

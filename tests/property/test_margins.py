"""Secondary suppression: whatever the counts and ties, no withheld count follows exactly from what is shown."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tests.property.budgets import examples
from trustquery.outputs.margins import Tie, secondary

LEAST = 8


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Tie], dict[str, float]]:
    """A grid of rows and columns with their margins and the total, some margins left out, some remainders unasked."""
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    cells = {(r, c): draw(st.sampled_from([-3, 0, 3, 7, 8, 9, 20, 500])) for r in range(rows) for c in range(columns)}
    values: dict[str, float] = {f"{r}{c}": float(value) for (r, c), value in cells.items()}
    ties = []
    for r in range(rows):
        if draw(st.booleans()):
            values[f"row{r}"] = float(sum(cells[r, c] for c in range(columns)))
            ties.append(Tie(f"row{r}", tuple(f"{r}{c}" for c in range(columns)), draw(st.integers(0, 4)) > 0))
    for c in range(columns):
        if draw(st.booleans()):
            values[f"column{c}"] = float(sum(cells[r, c] for r in range(rows)))
            ties.append(Tie(f"column{c}", tuple(f"{r}{c}" for r in range(rows)), draw(st.integers(0, 4)) > 0))
    if draw(st.booleans()):
        values["all"] = float(sum(cells.values()))
        ties.append(Tie("all", tuple(f"{r}{c}" for r in range(rows) for c in range(columns)), True))
    return ties, values


def follows(ties: list[Tie], hidden: list[str], name: str) -> bool:
    """Whether the shown counts fix one hidden one: its unit vector is a combination of the ties' hidden parts.

    Written apart from the code under test: ranks of the system with and without the unit vector.
    """
    system = [
        [Fraction((-1 if one == tie.whole else 0) + tie.parts.count(one)) for one in hidden]
        for tie in ties
        if tie.complete
    ]
    return rank([*system, [Fraction(int(one == name)) for one in hidden]]) == rank(system)


def rank(rows: list[list[Fraction]]) -> int:
    rows, found = [list(row) for row in rows], 0
    for place in range(len(rows[0]) if rows else 0):
        pivot = next((row for row in rows[found:] if row[place]), None)
        if pivot is None:
            continue
        rows.remove(pivot)
        rows.insert(found, pivot)
        for row in rows[found + 1 :]:
            factor = row[place] / pivot[place]
            for at in range(place, len(row)):
                row[at] -= factor * pivot[at]
        found += 1
    return found


@examples(200, 5000)
@given(tables())
def test_no_withheld_count_follows_from_what_is_shown(case: tuple[list[Tie], dict[str, float]]) -> None:
    ties, values = case
    more = secondary(ties, dict(values), lambda value: value >= LEAST)
    hidden = [name for name, value in values.items() if value < LEAST or name in more]
    assert all(values[str(name)] >= LEAST for name in more)
    assert not [name for name in hidden if follows(ties, hidden, name)]
    for tie in ties:
        if not tie.complete and not any(name in hidden for name in tie.members):
            assert values[str(tie.whole)] - sum(values[str(part)] for part in tie.parts) >= LEAST


@examples(50, 1000)
@given(tables())
def test_the_choice_depends_on_the_counts_alone(case: tuple[list[Tie], dict[str, float]]) -> None:
    ties, values = case
    assert secondary(ties, dict(values), lambda v: v >= LEAST) == secondary(list(ties), dict(values), lambda v: v >= 8)


@examples(50, 1000)
@given(tables())
def test_nothing_more_is_withheld_where_nothing_is(case: tuple[list[Tie], dict[str, float]]) -> None:
    ties, values = case
    assert secondary(ties, dict(values), lambda _: True) == set()

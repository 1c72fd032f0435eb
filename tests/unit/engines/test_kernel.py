"""The kernel by itself: sums beyond 63 bits, shares of large totals, and any order of rows, against plain Python."""

import random

import numpy as np
import pytest

from node_agent.engines.job import ABSENT, LIMIT
from node_agent.engines.kernel import People, Sums, _share, add_rows, add_scaled, add_totals, group

Row = tuple[int, int, int, int | None]
"""Person, rank, cell, what it adds."""


def some_rows(source: random.Random, count: int, largest: int) -> list[Row]:
    return [
        (
            source.randrange(8),
            source.randrange(2**62),
            source.randrange(5),
            None if source.random() < 0.2 else source.choice([1, -largest, largest, source.randint(-largest, largest)]),
        )
        for _ in range(count)
    ]


def columns(rows: list[Row]) -> tuple[People, np.ndarray]:
    person, rank, cell, added = (
        np.array([ABSENT if value is None else value for value in column], np.int64)
        for column in zip(*rows, strict=True)
    )
    order, starts = group(person.astype(np.int32))
    if order is not None:
        rank, cell, added = rank[order], cell[order], added[order]
    return People(starts, np.ascontiguousarray(rank[np.newaxis]), cell), added


def people(rows: list[Row]) -> list[dict[int, list[int]]]:
    """Of each person, what eligible rows add by cell, lowest rank first, cells by their lowest row."""
    found: dict[int, dict[int, list[int]]] = {}
    for person, _, cell, added in sorted(rows, key=lambda row: (row[0], row[1])):
        if added is not None:
            found.setdefault(person, {}).setdefault(cell, []).append(added)
    return list(found.values())


@pytest.mark.parametrize("seed", range(60))
def test_any_rows_are_bounded_as_in_plain_python(seed: int) -> None:
    source = random.Random(seed)
    rows = some_rows(source, source.randint(1, 60), source.choice([1, 1_000, 2**40, 2**50]))
    own, added = columns(rows)
    most, groups, limit = source.randint(1, 4), source.randint(1, 5), source.choice([1, 700, 2**45, 2**53 - 1])
    by_rows, by_totals, scaled = Sums(5, 5), Sums(5, 5), Sums(5, 5)
    add_rows(own, added, by_rows, rows=most, groups=groups)
    add_totals(own, added, by_totals, groups=groups, limit=limit)
    add_scaled(own, added, scaled, extra_bits=3, limit=limit)
    wanted = [[0] * 5 for _ in range(3)]
    for cells in people(rows):
        size = sum(abs(sum(values)) * 8 for values in cells.values())
        for at, (cell, values) in enumerate(cells.items()):
            if at < groups:
                wanted[0][cell] += sum(values[:most])
                wanted[1][cell] += max(-limit, min(limit, sum(values)))
            total = sum(values) * 8
            cut = abs(total) * limit // size * (1 if total > 0 else -1) if size > limit else total
            wanted[2][cell] += cut
    assert [sums.clamped().tolist() for sums in (by_rows, by_totals, scaled)] == wanted


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_that_need_more_than_63_bits_meet_the_limit_and_come_back_from_it(sign: int) -> None:
    large = sign * (2**62 - 1)
    rows: list[Row] = [(person, 1, cell, large) for cell in (0, 1) for person in range(10)]
    rows += [(person + 10, 1, 1, -large) for person in range(10)]
    own, added = columns(rows)
    sums = Sums(2, 2)
    add_rows(own, added, sums, rows=1, groups=2)
    assert sums.clamped().tolist() == [sign * LIMIT, 0]


@pytest.mark.parametrize("seed", range(200))
def test_a_share_is_exact_for_products_of_115_bits(seed: int) -> None:
    source = random.Random(seed)
    size = source.choice([1, 2, 7, 2**62, 2**62 - 1, source.randrange(1, 2**62)])
    value = source.choice([0, size, size - 1, source.randrange(size + 1)])
    limit = source.choice([1, 2**53 - 1, source.randrange(1, 2**53)])
    assert _share(value, limit, size) == value * limit // size


def test_bins_are_counted_each_in_its_place() -> None:
    own, added = columns([(1, 1, 0, 2), (1, 2, 0, 0), (2, 1, 1, 2), (2, 2, 1, None)])
    sums = Sums(6, 2)
    add_rows(own, added, sums, rows=1, groups=1, span=3)
    assert sums.clamped().tolist() == [0, 0, 1, 0, 0, 1]

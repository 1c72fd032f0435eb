"""Many runs of a release, through the very function that ships.

One call of ``add_noise`` adds independent noise to each integer of a vector, so a plan whose blocks are the changed
cells repeated gives many runs at once, at the same sigma and under the same check of the privacy map. That the
function treats cells of the plan as it stands alike and independently is checked besides, one call a run
(``audits.single``). Cells that the person does not change tell nothing about the person.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from audits.neighbours import Cells, Neighbours
from audits.product import Product
from trustquery.planning import Plan

__all__ = ["Runs", "key_runs", "stacked", "vector_runs"]

Runs = NDArray[np.float64]
"""Runs by changed cells: noised integer less the exact one without the person."""

VALUES_A_CALL = 100_000
KEYS_A_CALL = 50_000
Progress = Callable[[int], None]


def stacked(plan: Plan, changed: list[list[int]], runs: int) -> Plan:
    """The plan whose blocks hold ``runs`` copies of their changed cells; blocks without any are left out.

    Args:
        changed: positions within each block.
        runs: copies.
    """
    blocks, offset = [], 0
    for block, places in zip(plan.blocks, changed, strict=True):
        if places:
            length = len(places) * runs
            blocks.append(dataclasses.replace(block, offset=offset, length=length))
            offset += length
    return dataclasses.replace(plan, blocks=tuple(blocks))


def vector_runs(pair: Neighbours, cells: Cells, runs: int, product: Product, progress: Progress) -> tuple[Runs, int]:
    """Noised vectors of one of the data sets, and the most nano-rho that the ledger says a question cost.

    Args:
        cells: the exact integers to release, with or without the person.
        runs: number of releases; each is asked ``repeats`` times, and the askings are averaged.
        progress: called with the number of runs done.
    """
    changed = [
        [place for place, move in enumerate(pair.of_block(pair.moves, number)) if move]
        for number in range(len(pair.plan.blocks))
    ]
    width = sum(map(len, changed))
    parts: list[Runs] = []
    done = charged = 0
    while done < runs:
        number = min(runs - done, max(VALUES_A_CALL // width, 1))
        plan = stacked(pair.plan, changed, number)
        exact: list[int] = []
        for block, places in enumerate(changed):
            held = pair.of_block(cells.values, block)
            exact += [held[place] for place in places] * number
        if pair.mechanism.repeats > 1:
            answered = product.answers(product.noise, exact, plan, pair.plan.rho_nano, pair.mechanism.repeats)
            vectors, charged = answered.vectors, max(charged, answered.charged_nano)
        else:
            vectors, charged = [product.noise(exact, plan)], pair.plan.rho_nano
        parts.append(_less_exact(pair, np.mean([np.array(v, np.float64) for v in vectors], axis=0), changed, number))
        done += number
        progress(done)
    return np.concatenate(parts), charged


def _less_exact(pair: Neighbours, noised: Runs, changed: list[list[int]], runs: int) -> Runs:
    """Block-major noised values as rows of runs, less the exact values without the person."""
    columns, at = [], 0
    for block, places in enumerate(changed):
        held = pair.of_block(pair.absent.values, block)
        size = runs * len(places)
        columns.append(noised[at : at + size].reshape(runs, len(places)) - [held[place] for place in places])
        at += size
    return np.concatenate(columns, axis=1)


def key_runs(pair: Neighbours, cells: Cells, runs: int, product: Product, progress: Progress) -> tuple[Runs, int]:
    """Noised counts of the keys that others have too, and in how many runs a key that only the person has was named.

    Args:
        cells: the exact counts to release.
        runs: number of releases.
        progress: called with the number of runs done.

    Returns:
        Runs by keys that the person changes and others have (0 where a key was not named); number of runs.
    """
    changed = [place for place, move in enumerate(pair.moves) if move]
    common = [place for place in changed if pair.absent.values[place]]
    own = [place for place in changed if place not in common]
    held = np.array([pair.absent.values[place] for place in common], np.float64)
    parts: list[Runs] = []
    done = shown = 0
    while done < runs:
        number = min(runs - done, KEYS_A_CALL // len(changed))
        # Each run's keys have labels of their own, so that one release holds many runs.
        labels = {(run, place): f"0{run}/{place}" for run in range(number) for place in changed}
        counts = {label: cells.values[place] for (_, place), label in labels.items() if cells.values[place]}
        named = product.keys(counts, pair.plan)
        noised = [[named.get(labels[run, place], 0) for place in common] for run in range(number)]
        shown += sum(any(labels[run, place] in named for place in own) for run in range(number))
        parts.append(np.array(noised, np.float64).reshape(number, len(common)) - held)
        done += number
        progress(done)
    return np.concatenate(parts), shown

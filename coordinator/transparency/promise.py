"""The promise in numbers: the most that one person's records can tell, by what was charged and what is permitted.

At each trust: what was charged over a period, and what the projects in force may still spend there. A trust counts
what a project was charged over 366 days against the project's cap, so until a permit ends a project can spend at most
its cap less what it was charged in the 366 days before that end. Rho adds; epsilon is computed from the sum, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from coordinator.store import Store
from coordinator.transparency.register import Entry
from trustquery.catalogue import Catalogue
from trustquery.errors import TrustQueryError
from trustquery.identity import Intent
from trustquery.privacy.budget import ATTO, DEFAULT_DELTA, epsilon_of
from trustquery.privacy.promise import best_guess
from trustquery.projects.life import ASKABLE, ProjectState
from trustquery.projects.register import iso_day, rho_text
from trustquery.protocol.answers import KEYED

__all__ = ["PERIODS", "Line", "Numbers", "read_numbers"]

WINDOW = 366 * 86_400
PERIODS: tuple[tuple[str, int], ...] = (("12 months", WINDOW), ("10 years", 10 * WINDOW), ("lifetime", 0))


@dataclass(frozen=True)
class Line:
    """One period, for a person whom so many trusts have records of.

    Attributes:
        trusts: k.
        charged: over the period, at the k trusts where it is most, in 1e-9 rho.
        permitted: what may still be charged there, in 1e-9 rho.
        delta: the delta at which epsilon is shown, with what thresholded releases have spent and may still spend.
        guess: the highest chance to guess rightly, at even odds beforehand, whether the person is in the data.
    """

    period: str
    trusts: int
    charged: int
    permitted: int
    epsilon: Decimal
    delta: Decimal
    guess: Decimal

    def document(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "period": self.period,
            "trusts": self.trusts,
            "charged_rho_nano": self.charged,
            "permitted_rho_nano": self.permitted,
            "epsilon": str(self.epsilon),
            "delta": f"{self.delta.normalize():e}",
            "guess": str(self.guess),
        }


@dataclass(frozen=True)
class Numbers:
    """Every line, and what they come from.

    Attributes:
        declared: k, the largest number of trusts that a catalogue in use declares for one person.
        by_trust: node to what was charged ever and what may still be, in 1e-9 rho.
    """

    as_of: str
    declared: int
    lines: tuple[Line, ...]
    by_trust: Mapping[str, tuple[int, int]]

    def document(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "as_of": self.as_of,
            "declared_trusts": self.declared,
            "lines": [line.document() for line in self.lines],
            "by_trust": [
                {"node": node, "charged_rho": rho_text(charged), "permitted_rho": rho_text(permitted)}
                for node, (charged, permitted) in sorted(self.by_trust.items())
            ],
            "note": "What ends the growth is each trust's own cap, in its signed policy: `tq-node policy show` there.",
        }


def read_numbers(
    store: Store,
    entries: Iterable[Entry],
    catalogues: Mapping[str, Catalogue],
    profiles: Iterable[str],
    now: int,
) -> Numbers:
    """The numbers as of ``now``.

    Args:
        profiles: hashes of profile questions: a trust may charge them to a cap of their own, so they never count as a
            project's.
    """
    kept = tuple(entries)
    beside = tuple(profiles)
    permitted: dict[str, int] = {}
    deltas: dict[str, int] = {}
    used = {name for entry in kept for name in entry.permit.datasets}
    may_ask = [entry for entry in kept if entry.state in (*ASKABLE, ProjectState.SUSPENDED)]
    windows = {entry.project: max(entry.permit.expires - WINDOW, 0) for entry in may_ask}
    before = store.uses.charged_by_project(since=windows, but=beside)
    for entry in may_ask:
        spent = before.get(entry.project, {})
        for line in entry.trusts:
            left = line.permitted - spent.get(line.node, 0)
            permitted[line.node] = permitted.get(line.node, 0) + max(left, 0)
            if line.permitted:
                deltas[line.node] = deltas.get(line.node, 0) + entry.permit.delta_atto
    declared = max((catalogues[name].unit.max_trusts for name in used if name in catalogues), default=1)
    released = _deltas(store)
    starts = {period: max(now - seconds, 0) if seconds else 0 for period, seconds in PERIODS}
    sums = {since: store.uses.charged(since=since) for since in {0, *starts.values()}}
    lines = []
    for k in sorted({1, declared}):
        for period, since in starts.items():
            lines.append(_line(period, k, sums[since], permitted, _over(released, since, deltas)))
    ever = sums[0]
    nodes = {*ever, *permitted}
    by_trust = {node: (ever.get(node, 0), permitted.get(node, 0)) for node in nodes}
    return Numbers(iso_day(now), declared, tuple(lines), by_trust)


def _deltas(store: Store) -> list[tuple[str, int, int]]:
    """Node, time and delta in 1e-18 of each thresholded release that was charged."""
    found = []
    for node, at, data in store.uses.charged_intents(KEYED):
        try:
            intent = Intent.read(data)
        except TrustQueryError:
            continue
        found.append((node, at, intent.delta_atto))
    return found


def _over(released: Iterable[tuple[str, int, int]], since: int, permitted: Mapping[str, int]) -> dict[str, int]:
    """Delta by trust: what thresholded releases were charged from ``since`` on, and what permits allow besides."""
    found = dict(permitted)
    for node, at, delta in released:
        if at >= since:
            found[node] = found.get(node, 0) + delta
    return found


def _line(
    period: str,
    trusts: int,
    charged: Mapping[str, int],
    permitted: Mapping[str, int],
    deltas: Mapping[str, int],
) -> Line:
    """The worst case: the k trusts at which most was charged and may still be."""
    worst = sorted({*charged, *permitted}, key=lambda node: (-charged.get(node, 0) - permitted.get(node, 0), node))
    nodes = worst[:trusts]
    # Delta of the trusts where it is most, which need not be those above.
    delta_atto = sum(sorted(deltas.values(), reverse=True)[:trusts])
    before, after = sum(charged.get(node, 0) for node in nodes), sum(permitted.get(node, 0) for node in nodes)
    return Line(
        period,
        trusts,
        before,
        after,
        epsilon_of(before + after),
        DEFAULT_DELTA + Decimal(delta_atto) / ATTO,
        best_guess(before + after, delta_atto=delta_atto),
    )

"""Composition (PRV-14): the node's ledger against the independent accountant, epsilons against Google's."""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from audits.accountant import Accountant, charge_of, squared_sensitivity
from audits.releases import Release
from audits.reservations import print_of, reservation
from node_agent.budget import SqliteLedger
from trustquery.planning import Plan
from trustquery.planning.plan import SIGMA_UNIT
from trustquery.privacy.budget import DEFAULT_DELTA, epsilon_of

__all__ = ["ACCOUNTING", "Books", "Composed", "References", "books", "composed", "google", "shown_epsilon", "together"]

ROOT = Path(__file__).resolve().parent.parent
ACCOUNTING = ROOT / ".accounting-venv" / "bin" / "python"
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Books:
    """The ledger and the accountant side by side.

    Attributes:
        releases: how many went through both.
        subjects: how many totals were compared: over 12 months, and in all.
        unequal: what differed, in words; empty when the books agree to the last unit.
    """

    releases: int
    subjects: int
    unequal: tuple[str, ...]


def books(
    releases: Iterable[Release],
    *,
    ledger: Callable[[Path], SqliteLedger] = SqliteLedger,
    charge: Callable[[Plan], int] = lambda plan: plan.rho_nano,
    progress: Progress | None = None,
) -> Books:
    """Put releases through the node's real ledger and through the accountant, and compare every total.

    Args:
        ledger: opens the ledger under test.
        charge: what the product charges for a plan.
        progress: called with the number of releases done.
    """
    accountant = Accountant()
    unequal: list[str] = []
    done, time = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        held = ledger(Path(folder) / "ledger.sqlite")
        try:
            for release in releases:
                if charge_of(release.plan.document()) != (charge(release.plan), release.plan.delta_atto):
                    unequal.append(f"{release.name}: the plan's charge")
                if _pass(held, release, charge(release.plan)) != accountant.is_stored(release):
                    unequal.append(f"{release.name}: whether a stored answer exists")
                accountant.add(release)
                done, time = done + 1, release.time
                if progress:
                    progress(done)
            found = {(scope, subject): (rho, delta, many) for scope, subject, rho, delta, many in held.totals()}
            wanted = accountant.totals()
            for place in sorted(found.keys() | wanted.keys()):
                if found.get(place) != wanted.get(place):
                    unequal.append(f"{' '.join(place)}: in all")
                spent = held.spent(place[0], place[1], time)  # type: ignore[arg-type]
                if (spent.rho_window, spent.delta_window) != accountant.last_12_months(place, time):
                    unequal.append(f"{' '.join(place)}: over 12 months")
        finally:
            held.close()
    return Books(done, 2 * len(wanted), tuple(unequal))


def _pass(ledger: SqliteLedger, release: Release, rho_nano: int) -> bool:
    """Reserve and end one release as the gate does; returns whether the answer was a stored one."""
    is_stored = ledger.stored_vector(print_of(release.question)) is not None
    asked = reservation(
        release.name,
        question=release.question,
        dataset=release.dataset,
        project=release.project,
        analyst=release.analyst,
        rho_nano=rho_nano,
        delta_atto=release.plan.delta_atto,
        time=release.time,
        is_stored=is_stored,
    )
    ledger.reserve(asked, release.time)
    if release.ending == "expired":
        ledger.expire(asked.release_id, release.time)
        return is_stored
    if not is_stored:
        ledger.start(asked.release_id, release.time)
        if release.ending == "dead":
            ledger.die(asked.release_id, release.time)
            return is_stored
    ledger.commit(asked.release_id, b"envelope", b"vector", release.time)
    return is_stored


@dataclass(frozen=True)
class Composed:
    """Blocks of some releases: squared sensitivity and sigma (2^-20) of each, and the nano-rho charged in all."""

    blocks: tuple[tuple[int, int], ...]
    rho_nano: int

    @property
    def multipliers(self) -> list[float]:
        """Sigma over sensitivity of each block, as doubles."""
        return [sigma / SIGMA_UNIT / math.sqrt(squared) for squared, sigma in self.blocks]


def composed(releases: Iterable[Release]) -> Composed:
    """All blocks of some releases."""
    taken = list(releases)
    blocks = tuple(
        (squared_sensitivity(block), int(block["sigma"]))
        for release in taken
        for block in release.plan.document()["blocks"]
    )
    return Composed(blocks, sum(release.plan.rho_nano for release in taken))


@dataclass(frozen=True)
class References:
    """What ``dp-accounting`` makes of one composition: epsilon by its three ways."""

    moments: float
    grid: float | None
    single: float

    @property
    def tightest(self) -> float:
        """The smallest: each is an upper limit of the loss, or the loss itself."""
        return min(found for found in (self.moments, self.grid, self.single) if found is not None)


def together(releases: Iterable[Release]) -> Composed:
    """Everything that was charged for data that were read: what the node-wide scope holds."""
    answered: set[str] = set()
    charged: list[Release] = []
    for release in releases:
        if release.ending != "expired" and release.question not in answered:
            charged.append(release)
            if release.ending == "committed":
                answered.add(release.question)
    return composed(charged)


def shown_epsilon(rho_nano: int) -> Decimal:
    """What people are shown for a total."""
    return epsilon_of(rho_nano, DEFAULT_DELTA)


MOST_ON_A_GRID = 100
"""Blocks of a composition that are still worth a distribution each."""


def _step(item: Composed) -> float:
    """The step of the loss grid: its error stays far below a hundredth of epsilon. 0: too many blocks for a grid."""
    if len(item.blocks) > MOST_ON_A_GRID:
        return 0.0
    return min(1e-2, float(shown_epsilon(item.rho_nano)) / (100 * len(item.blocks)))


def google(asked: Sequence[Composed], progress: Progress | None = None) -> list[References]:
    """Ask ``dp-accounting`` in its own interpreter.

    Raises:
        FileNotFoundError: its venv is not there (``make audit-privacy`` makes it).
        RuntimeError: it failed.
    """
    steps = [_step(item) for item in asked]
    job = {
        "delta": str(DEFAULT_DELTA),
        "compositions": [[step, item.multipliers] for step, item in zip(steps, asked, strict=True)],
    }
    found: list[References] = []
    # -I: neither our packages nor the environment's paths are seen.
    with subprocess.Popen(
        [str(ACCOUNTING), "-I", str(ROOT / "audits" / "google_accountant.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("no pipe to dp-accounting")
        with child.stdin as pipe:
            json.dump(job, pipe)
        for line in child.stdout:
            found.append(References(*json.loads(line)))
            if progress:
                progress(len(found))
    if child.returncode or len(found) != len(asked):
        raise RuntimeError("dp-accounting did not answer every composition")
    return found

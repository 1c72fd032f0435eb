"""The pieces of an audit that run side by side: each is named by plain values, so that a child process can run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from audits.audit import Finding, audit
from audits.composition import (
    Books,
    Composed,
    References,
    books,
    composed,
    google,
    shown_epsilon,
    together,
)
from audits.controls import BOOK_FAULTS, FAULT_DRAWS, FAULTS, NOISE_FAULTS, epsilon_at_a_larger_delta
from audits.mechanisms import MECHANISMS, named
from audits.product import SHIPPED
from audits.releases import random_groups, random_releases
from audits.sampler import SIGMAS, Sampled, sample
from trustquery.privacy.noise import add_noise

__all__ = ["FAULT_NAMES", "PARTS", "Compared", "Control", "Piece", "Results", "Sizes", "pieces"]

PARTS = ("mechanisms", "sampler", "composition", "controls")
FAULT_NAMES = tuple(fault.name for fault in FAULTS)
"""Faults that can be planted in a mechanism."""


@dataclass(frozen=True)
class Sizes:
    """How much is drawn.

    Attributes:
        runs: releases of each mechanism with the person, and as many without.
        sampler: draws over all sigmas.
        releases: through the ledger.
        compositions: given to ``dp-accounting``.
        controls: runs of each planted fault.
    """

    runs: int = 100_000
    sampler: int = 1_000_000
    releases: int = 2_000
    compositions: int = 2_000
    controls: int = 20_000

    @classmethod
    def full(cls) -> Sizes:
        """What the acceptance tests PRV-05, PRV-06 and PRV-14 ask for."""
        return cls(1_000_000, 10_000_000, 10_000, 10_000, 100_000)


@dataclass(frozen=True)
class Compared:
    """Compositions and what ``dp-accounting`` makes of them; the last is all releases together."""

    asked: tuple[Composed, ...]
    references: tuple[References, ...]

    @property
    def ratios(self) -> list[float]:
        """Epsilon as shown over the tightest of ``dp-accounting``; below 1, less loss is shown than there is."""
        return [
            float(Fraction(shown_epsilon(item.rho_nano)) / Fraction(reference.tightest))
            for item, reference in zip(self.asked, self.references, strict=True)
        ]

    @property
    def below(self) -> int:
        """How many are shown with less loss than ``dp-accounting`` computes."""
        return sum(ratio < 1 for ratio in self.ratios)


@dataclass(frozen=True)
class Control:
    """Whether a planted fault was seen, and by what."""

    name: str
    on: str
    wanted: tuple[str, ...]
    seen_by: tuple[str, ...]

    @property
    def caught(self) -> bool:
        """Whether every check that must fail did."""
        return set(self.wanted) <= set(self.seen_by)


@dataclass
class Results:
    """Everything found, in the order of the tables."""

    findings: list[Finding] = field(default_factory=list)
    sampled: list[Sampled] = field(default_factory=list)
    books: list[Books] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)

    def add(self, found: object) -> None:
        """Put a piece's result into its list."""
        match found:
            case Finding():
                self.findings.append(found)
            case Sampled():
                self.sampled.append(found)
            case Books():
                self.books.append(found)
            case Compared():
                self.compared.append(found)
            case Control():
                self.controls.append(found)
            case _:
                raise TypeError("no piece of an audit")

    @property
    def broken(self) -> list[str]:
        """What does not hold, in words."""
        found = [f"{item.mechanism}: {', '.join(item.broken)}" for item in self.findings if item.broken]
        found += [f"sampler at {item.sigma:g}: {', '.join(item.broken)}" for item in self.sampled if item.broken]
        found += [f"ledger: {words}" for item in self.books for words in item.unequal]
        found += [f"{item.below} epsilons shown below dp-accounting's" for item in self.compared if item.below]
        return found

    @property
    def missed(self) -> list[str]:
        """Planted faults that were not seen."""
        return [control.name for control in self.controls if not control.caught]


@dataclass(frozen=True)
class Piece:
    """One piece of work: its name, a function with plain arguments, and how long it takes beside others."""

    name: str
    run: Callable[..., object]
    arguments: tuple[str | int | float, ...]
    weight: int


def pieces(parts: tuple[str, ...], sizes: Sizes, seed: int, only: tuple[str, ...] = ()) -> list[Piece]:
    """The work of some parts.

    Args:
        only: names of mechanisms; all when empty.
        seed: of data and plans.
    """
    found: list[Piece] = []
    if "mechanisms" in parts:
        found += [
            Piece(item.name, mechanism, (item.name, sizes.runs, seed), sizes.runs * 6)
            for item in MECHANISMS
            if not only or item.name in only
        ]
    if "sampler" in parts:
        # Rounded up to whole thirds: a third goes to 0 and to each edge of a cell.
        share = -(-sizes.sampler // (3 * len(SIGMAS))) * 3
        found += [Piece(f"sampler at sigma {sigma:g}", sampler, (sigma, share), share) for sigma in SIGMAS]
    if "composition" in parts:
        found.append(Piece("ledger and accountant", ledger, (sizes.releases, seed), sizes.releases * 800))
        found.append(Piece("dp-accounting", accounting, (sizes.compositions, seed), sizes.compositions * 900))
    if "controls" in parts:
        found += [Piece(f"control: {item.name}", fault, (item.name, sizes.controls, seed), 1) for item in FAULTS]
        found += [Piece(f"control: {item.name}", noise_fault, (item.name,), 1) for item in NOISE_FAULTS]
        found += [Piece(f"control: {item.name}", book_fault, (item.name, seed), 1) for item in BOOK_FAULTS]
        found.append(Piece("control: epsilon at a larger delta", shown_fault, (seed,), 1))
    return found


def mechanism(name: str, runs: int, seed: int) -> Finding:
    """Audit one shipped mechanism."""
    return audit(named(name), runs=runs, seed=seed, product=SHIPPED)


def planted(name: str, runs: int, seed: int) -> Finding:
    """Audit a mechanism with a planted fault as if it were the shipped one."""
    [found] = [item for item in FAULTS if item.name == name]
    return audit(named(found.on), runs=runs, seed=seed, product=found.product)


def sampler(sigma: float, draws: int) -> Sampled:
    """Audit the sampler at one sigma."""
    return sample(sigma, draws, add_noise)


def ledger(number: int, seed: int) -> Books:
    """Compare the ledger with the accountant."""
    return books(random_releases(seed, number))


def accounting(number: int, seed: int) -> Compared:
    """Compare shown epsilons with ``dp-accounting``."""
    releases = list(random_releases(seed, min(number, 2_000)))
    asked = [*map(composed, random_groups(releases, number, seed)), together(releases)]
    return Compared(tuple(asked), tuple(google(asked)))


def fault(name: str, runs: int, seed: int) -> Control:
    """Plant a fault in a mechanism."""
    [found] = [item for item in FAULTS if item.name == name]
    return Control(name, found.on, found.seen_by, planted(name, found.runs(runs), seed).broken)


def noise_fault(name: str) -> Control:
    """Plant a fault in the sampler."""
    [found] = [item for item in NOISE_FAULTS if item.name == name]
    return Control(name, "sampler", found.seen_by, sample(found.sigma, FAULT_DRAWS, found.noise).broken)


def book_fault(name: str, seed: int) -> Control:
    """Plant a fault in charges or ledger."""
    [found] = [item for item in BOOK_FAULTS if item.name == name]
    unequal = books(random_releases(seed, 200), ledger=found.ledger, charge=found.charge).unequal
    return Control(name, "ledger", ("unequal totals",), ("unequal totals",) if unequal else ())


def shown_fault(seed: int) -> Control:
    """Show the epsilon of a larger delta."""
    asked = list(map(composed, random_groups(list(random_releases(seed, 100)), 100, seed)))
    pairs = zip(asked, google(asked), strict=True)
    below = any(float(epsilon_at_a_larger_delta(item.rho_nano)) < reference.tightest for item, reference in pairs)
    wanted = ("epsilon below dp-accounting's",)
    return Control("epsilon at a larger delta", "shown epsilon", wanted, wanted if below else ())

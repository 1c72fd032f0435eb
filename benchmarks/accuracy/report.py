"""What was found, as lines for a terminal, as the RESULT line, and as a page of the manual."""

from __future__ import annotations

import json
import math
import statistics
import string
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from benchmarks.accuracy.arms import FIXED, Arm
from benchmarks.accuracy.data import Skew
from benchmarks.accuracy.metric import Error, gain
from benchmarks.accuracy.questions import Question

__all__ = ["TARGET", "Finding", "Run", "page", "result", "table"]

PAGE = Path(__file__).with_name("page.txt")
TARGET = 10.0
"""How many times smaller than on the fixed bound the error should be."""


@dataclass(frozen=True)
class Finding:
    """One question, all arms.

    Attributes:
        chosen: on terms chosen from a profile, one for each time that profiles were drawn.
        forecast: error foreseen before asking, noise and cut-off together, as a share like ``Error.mean``.
        charge: share of ρ that the profiles of its tables took.
        peer: None where it was refused, or where the peer was not asked.
    """

    question: Question
    cells: int
    fixed: Arm
    chosen: tuple[Arm, ...]
    forecast: float
    charge: float
    peer: Error | None = None
    refused: str = ""

    @property
    def total(self) -> float:
        """Mean error on chosen terms."""
        return statistics.fmean(arm.total.mean for arm in self.chosen)

    @property
    def rmse(self) -> float:
        """Root mean square error on chosen terms."""
        return math.sqrt(statistics.fmean(arm.total.rmse**2 for arm in self.chosen))

    @property
    def cut_off(self) -> float:
        """Error on chosen terms that is not noise."""
        return statistics.fmean(arm.cut_off.mean for arm in self.chosen)

    @property
    def noise(self) -> float:
        """Error on chosen terms that is noise."""
        return statistics.fmean(arm.noise.mean for arm in self.chosen)

    @property
    def gain(self) -> float:
        """How many times smaller than on the fixed bound."""
        return gain(self.fixed.total.mean, self.total)

    @property
    def versus(self) -> float | None:
        """How many times smaller than the peer's."""
        return gain(self.peer.mean, self.total) if self.peer is not None else None


@dataclass(frozen=True)
class Run:
    """One run of the benchmark: what it was run with, and what it found."""

    episodes: int
    trusts: int
    seed: int
    epsilon: Decimal
    delta: Decimal
    draws: int
    peer_draws: int
    peer_version: str
    skew: tuple[Skew, ...]
    findings: tuple[Finding, ...]

    @property
    def median_gain(self) -> float:
        """Over all questions."""
        return statistics.median(finding.gain for finding in self.findings)

    @property
    def versus(self) -> float | None:
        """Median over the questions that the peer answered."""
        found = [finding.versus for finding in self.findings if finding.versus is not None]
        return statistics.median(found) if found else None


def result(run: Run) -> str:
    """The last line: machines read it."""
    versus = run.versus
    return "RESULT " + json.dumps(
        {
            "median_gain": _rounded(run.median_gain),
            "vs_smartnoise": None if versus is None else _rounded(versus),
            "target": TARGET,
            "questions": len(run.findings),
            "smartnoise_answered": sum(finding.peer is not None for finding in run.findings),
            "smartnoise_refused": sum(bool(finding.refused) for finding in run.findings),
            "epsilon": float(run.epsilon),
            "delta": float(run.delta),
            "admissions": run.episodes,
            "trusts": run.trusts,
            "draws": run.draws,
            "rows_lost_to_five": {skew.table: round(skew.lost, 3) for skew in run.skew if skew.largest > 1},
        }
    )


def table(run: Run) -> list[str]:
    """One line a question."""
    head = (
        f"{'question':<24}{'cells':>6}{'fixed 5':>9}{'smartn.':>9}{'chosen':>9}{'cut-off':>9}{'noise':>9}"
        f"{'forecast':>9}{'gain':>8}{'vs sn':>8}  terms"
    )
    lines = [head]
    for finding in run.findings:
        peer = "refused" if finding.refused else "-" if finding.peer is None else _share(finding.peer.mean)
        versus = "-" if finding.versus is None else _times(finding.versus)
        lines.append(
            f"{finding.question.id:<24}{finding.cells:>6}{_share(finding.fixed.total.mean):>9}{peer:>9}"
            f"{_share(finding.total):>9}{_share(finding.cut_off):>9}{_share(finding.noise):>9}"
            f"{_share(finding.forecast):>9}{_times(finding.gain):>8}{versus:>8}  {finding.chosen[0].terms}"
        )
    return lines


def page(run: Run) -> str:
    """The page of the manual; nothing on it but the figures changes from run to run."""
    refused = [finding for finding in run.findings if finding.refused]
    charges = [round(100 * finding.charge) for finding in run.findings]
    return string.Template(PAGE.read_text(encoding="utf-8")).substitute(
        questions=len(run.findings),
        epsilon=run.epsilon,
        delta=f"{run.delta:.0e}",
        fixed=FIXED,
        charges=f"{min(charges)} to {max(charges)} %",
        version=run.peer_version or "(not asked)",
        gain=_times(run.median_gain),
        versus="not asked" if run.versus is None else _times(run.versus),
        target=_times(TARGET),
        draws=run.draws,
        peer_draws=run.peer_draws,
        profiles=len(run.findings[0].chosen),
        errors="\n".join(map(_row, run.findings)),
        refusals=_refusals(refused),
        terms="\n".join(
            f"| {finding.question.words} | {finding.chosen[0].terms} | {_share(finding.fixed.total.rmse)} | "
            f"{_share(finding.rmse)} |"
            for finding in run.findings
        ),
        episodes=f"{run.episodes:,}",
        trusts="one trust" if run.trusts == 1 else f"{run.trusts} trusts",
        seed=run.seed,
        skew="\n".join(
            f"| `{skew.table}` | {skew.rows:,} | {skew.people:,} | {skew.median:g} | {skew.p90:g} | {skew.p99:g} | "
            f"{skew.largest:,} | {_share(skew.lost)} |"
            for skew in run.skew
            if skew.largest > 1
        ),
    )


def _row(finding: Finding) -> str:
    peer = "refused" if finding.refused else "–" if finding.peer is None else _share(finding.peer.mean)
    versus = "–" if finding.versus is None else _times(finding.versus)
    return (
        f"| {finding.question.words} | {finding.cells} | {_share(finding.fixed.total.mean)} | {peer} | "
        f"{_share(finding.total)} | {_share(finding.cut_off)} | {_share(finding.noise)} | {_share(finding.forecast)} | "
        f"{_times(finding.gain)} | {versus} |"
    )


def _refusals(refused: Sequence[Finding]) -> str:
    if not refused:
        return "SmartNoise SQL refused none of them."
    names = ", ".join(f"*{finding.question.words}*" for finding in refused)
    return f"SmartNoise SQL refused {len(refused)} of them, left out of its median: {names}."


def _share(value: float) -> str:
    """Three significant digits of a percentage."""
    if not math.isfinite(value):
        return "–"
    percent = 100 * value
    return f"{percent:.0f} %" if percent >= 100 else f"{percent:.3g} %"


def _times(value: float) -> str:
    if math.isinf(value):
        return "∞"
    return f"{value:.0f}×" if value >= 100 else f"{value:.3g}×"


def _rounded(value: float) -> float | None:
    return float(f"{value:.3g}") if math.isfinite(value) else None

"""What was found, as a table, a page of the manual, and one line for machines."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine.data import Files
from benchmarks.engine.measure import MIB, Seconds
from benchmarks.engine.questions import Question

__all__ = ["Finding", "Run", "page", "result", "table"]


@dataclass(frozen=True)
class Ways:
    """By value and by row: what the planner forecasts, nanoseconds a row and processor, and seconds that it took."""

    forecasts: tuple[float, float]
    seconds: tuple[float, float]


@dataclass(frozen=True)
class Finding:
    """One question.

    Attributes:
        parts: seconds of each part of ours.
        touched: bytes of the columns that are read.
        grown: bytes beside them, at the peak.
        wall: seconds from the node's call to the exact vector, a process of its own included.
        ways: where the planner could choose.
    """

    question: Question
    seconds: Seconds
    parts: Mapping[str, float]
    touched: int
    grown: int
    wall: float
    ways: Ways | None

    @property
    def ratio(self) -> float:
        """Ours to the plain query's."""
        return self.seconds.ours / self.seconds.raw

    @property
    def memory(self) -> float:
        """All memory, as a multiple of the columns that are read."""
        return (self.touched + self.grown) / self.touched


@dataclass(frozen=True)
class Run:
    """One run of the benchmark; ``peer`` has the peer's seconds by question, ``times`` ours by rows, ``waits`` seconds
    from offer to answer over a node's link."""

    episodes: int
    seed: int
    threads: int
    findings: tuple[Finding, ...]
    version: str
    peer: Mapping[str, float]
    times: Mapping[int, float]
    exponent: float
    files: Files
    waits: Mapping[str, float]

    @property
    def rate(self) -> float:
        """Nanoseconds that one more row takes, between the two largest sizes; 0 where there are none."""
        if len(self.times) < 2:
            return 0.0
        (fewer, less), (rows, seconds) = sorted(self.times.items())[-2:]
        return (seconds - less) / (rows - fewer) * 1e9

    @property
    def peer_ratios(self) -> dict[str, float]:
        """By question, the peer's seconds to the plain query's."""
        raw = {found.question.id: found.seconds.raw for found in self.findings}
        return {name: seconds / raw[name] for name, seconds in self.peer.items() if name in raw}


def _rows(run: Run) -> Iterator[tuple[str, ...]]:
    peer = run.peer_ratios
    for found in run.findings:
        yield (
            found.question.words,
            found.question.kind,
            f"{found.seconds.cells:,}",
            f"{found.seconds.raw * 1000:,.0f}",
            f"{found.seconds.ours * 1000:,.0f}",
            f"{found.ratio:.2f}",
            f"{peer[found.question.id]:.0f}" if found.question.id in peer else "—",
            f"{found.memory:.2f}",
            f"{found.wall * 1000:,.0f}",
            f"{run.waits[found.question.id]:.2f}",
        )


HEAD = ("question", "what it needs", "cells", "plain, ms", "ours, ms", "ratio", "SmartNoise, ratio", "memory, ratio",
        "engine wall, ms", "offer to answer, s")  # fmt: skip


def table(run: Run) -> Iterator[str]:
    """Lines for a terminal."""
    for row in (HEAD, *_rows(run)):
        yield f"{row[0]:70} " + " ".join(f"{cell:>18}" for cell in row[2:])


def result(run: Run) -> str:
    """The last line."""
    ratios = [found.ratio for found in run.findings]
    peer = list(run.peer_ratios.values())
    found = {
        "median_ratio": round(statistics.median(ratios), 2),
        "max_ratio": round(max(ratios), 2),
        "peer_median_ratio": round(statistics.median(peer), 1) if peer else None,
        "memory_ratio": round(max(found.memory for found in run.findings), 2),
        "scaling_exponent": round(run.exponent, 3),
        "questions": len(ratios),
        "peer_questions": len(peer),
        "episodes": run.episodes,
    }
    return f"RESULT {json.dumps(found)}"


def page(run: Run) -> str:
    """The page of the manual."""
    text = Path(__file__).with_name("page.txt").read_text(encoding="utf-8")
    parts = list(run.findings[0].parts)
    where = [("question", *(f"{part}, ms" for part in parts))]
    where += [(found.question.words, *(f"{found.parts[part] * 1000:,.0f}" for part in parts)) for found in run.findings]
    sizes = [("admissions", "seconds", "nanoseconds a row")]
    sizes += [(f"{rows:,}", f"{seconds:.2f}", f"{seconds / rows * 1e9:,.0f}") for rows, seconds in run.times.items()]
    memory = [("question", "columns read, MiB", "beside them, MiB")]
    memory += [
        (found.question.words, f"{found.touched / MIB:,.0f}", f"{found.grown / MIB:,.0f}") for found in run.findings
    ]
    sql = "\n".join(
        f"### {found.question.words}\n\nAsked of us:\n\n```text\n{found.question.sql.strip()}\n```\n\n"
        f"Plain:\n\n```text\n{found.question.raw.strip()}\n```\n"
        for found in run.findings
    )
    for name, value in {
        "episodes": f"{run.episodes:,}",
        "seed": str(run.seed),
        "threads": str(run.threads),
        "version": run.version or "not asked",
        "table": _markdown([HEAD, *_rows(run)]),
        "where": _markdown(where),
        "sizes": _markdown(sizes),
        "memory": _markdown(memory),
        "exponent": f"{run.exponent:.2f}",
        "rate": f"{run.rate:,.0f}",
        "ways": _markdown(list(_ways(run.findings))),
        "files": _markdown(list(_files(run.files))),
        "result": result(run),
        "sql": sql.rstrip(),
    }.items():
        text = text.replace("{" + name + "}", value)
    return text


def _ways(findings: Sequence[Finding]) -> Iterator[tuple[str, ...]]:
    yield "question", "forecast by value", "by row", "took by value, ms", "by row, ms", "the forecast was right"
    for found in findings:
        if found.ways is not None:
            (value, row), (one, other) = found.ways.forecasts, found.ways.seconds
            right = "yes" if (value <= row) == (one <= other) else "no"
            yield (
                found.question.words, f"{value:.0f}", f"{row:.0f}", f"{one * 1000:,.0f}", f"{other * 1000:,.0f}", right,
            )  # fmt: skip


def _files(files: Files) -> Iterator[tuple[str, ...]]:
    yield "admissions, ten columns", "encrypted", "plain", "ratio"
    for words, (sealed, plain) in (("written, seconds", files.writing), ("read, seconds", files.reading)):
        yield words, f"{sealed:.2f}", f"{plain:.2f}", f"{sealed / plain:.2f}"
    sealed_size, plain_size = files.size
    yield "size, MiB", f"{sealed_size / MIB:.0f}", f"{plain_size / MIB:.0f}", f"{sealed_size / plain_size:.2f}"


def _markdown(rows: Sequence[tuple[str, ...]]) -> str:
    head, *rest = rows
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rest)])

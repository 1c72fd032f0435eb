"""``make simulate``: made-up histories of a federation, run by the code that ships, with everything that can go wrong.

    python -m tests.simulation [--size N] [--seed N] [--workers N] [--page] [--no-controls] [--afresh]
    python -m tests.simulation --replay SEED [--planted NAME]

Ends with one line ``RESULT {json}`` and status 3 where an invariant was broken or a planted fault was not seen. A
history follows from its seed alone: ``--replay`` shows it again, step by step. What was interrupted goes on where it
was: outcomes are kept, under a digest of the code, in ``build/simulation``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.simulation import report
from tests.simulation.controls import CONTROLS
from tests.simulation.executed import executed
from tests.simulation.history import History
from tests.simulation.kept import KEPT, Kept
from tests.simulation.shims import simulated
from tests.simulation.work import Outcome, Piece, pieces, run_piece, settle

__all__ = ["main"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "simulation-report.md"
BROKEN = 3
MEASURED = 100
"""Histories whose executed lines are listed."""


def _all(todo: Sequence[Piece], workers: int, kept: Kept | None) -> Iterator[tuple[Piece, Outcome]]:
    left = []
    for piece in todo:
        outcome = kept.find(piece) if kept is not None else None
        if outcome is None:
            left.append(piece)
        else:
            yield piece, outcome
    for piece, outcome in _run(left, workers):
        if kept is not None:
            kept.keep(piece, outcome)
        yield piece, outcome


def _run(todo: Sequence[Piece], workers: int) -> Iterator[tuple[Piece, Outcome]]:
    if workers == 0:
        for piece in todo:
            yield piece, run_piece(piece)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), settle) as pool:
        futures = {pool.submit(run_piece, piece): piece for piece in todo}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            # A fault of the test's own is told at once, not after hours of the rest.
            pool.shutdown(wait=False, cancel_futures=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=20_000, help="histories")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first history; the next ones follow")
    parser.add_argument("--workers", type=int, default=2, help="processes; 0 for this one alone")
    parser.add_argument("--no-controls", action="store_true", help="plant no faults")
    parser.add_argument("--kept", type=Path, default=KEPT, help="where outcomes of interrupted runs are")
    parser.add_argument("--afresh", action="store_true", help="neither use nor keep outcomes of interrupted runs")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--replay", type=int, help="one history, step by step")
    parser.add_argument("--planted", choices=sorted(CONTROLS), help="with --replay: a planted fault")
    return parser.parse_args(arguments)


def _replay(seed: int, planted: str | None) -> int:
    with simulated() as disks:
        fault = CONTROLS[planted].plant(disks) if planted else contextlib.nullcontext()
        with fault:
            history = History(seed, keep=True).run()
    print("\n".join(history.lines))
    print(f"trace {history.digest}")
    for what in history.violations:
        print(f"BROKEN {what}")
    return BROKEN if history.violations else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, or 3 where an invariant was broken or a planted fault not seen."""
    options = _options(arguments)
    if options.replay is not None:
        return _replay(options.replay, options.planted)
    told = 0.0
    started = time.monotonic()
    kept = None if options.afresh else Kept(folder=options.kept)
    controls = () if options.no_controls else tuple(CONTROLS)
    todo = list(pieces(options.size, options.seed, controls))
    found, planted = Outcome(), {}
    for piece, outcome in _all(todo, options.workers, kept):
        if piece.control:
            planted[piece.control] = outcome
        else:
            found.add(outcome)
        if time.monotonic() - told > 5:
            told = time.monotonic()
            print(f"[{found.histories}/{options.size}, {told - started:.0f} s]", file=sys.stderr, flush=True)
    result = report.result(found, planted)
    if options.page:
        whole = report.Whole(found, planted, options.seed)
        lines = executed(MEASURED, options.seed)
        PAGE.write_text(report.page(whole, lines, MEASURED), encoding="utf-8")
    print(report.terminal(found, planted))
    print(f"RESULT {json.dumps(result)}")
    return 0 if result["violations"] == 0 and result["controls_seen"] == len(controls) else BROKEN


if __name__ == "__main__":
    sys.exit(main())

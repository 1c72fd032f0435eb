"""``make torture``: power cuts, failing disks and kills at the budget ledger that ships.

    python -m tests.torture [--cuts N] [--kills N] [--faults N] [--controls N] [--workers N] [--page]

Ends with one line ``RESULT {json}`` and status 3 where anything was violated or a planted fault was not seen. Every
history and every cut follows from its seed, so a violation that it names is seen again with the same figures.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.torture import controls, power, report
from tests.torture.work import Piece, pieces

__all__ = ["main"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "durability-report.md"
BROKEN = 3


def _run(todo: Sequence[Piece], workers: int) -> Iterator[tuple[Piece, power.Outcome]]:
    # Processes that were spawned, not forked: a killed writer is forked from a process with one thread.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(piece.run, *piece.arguments): piece for piece in todo}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            # A fault of the test's own is told at once, not after hours of the rest.
            pool.shutdown(wait=False, cancel_futures=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__.partition("\n")[0])
    parser.add_argument("--cuts", type=int, default=100_000, help="power cuts")
    parser.add_argument("--kills", type=int, default=2_000, help="kills that meet a writer at work, at least")
    parser.add_argument("--faults", type=int, default=100_000, help="calls to the disk that fail, of each kind")
    parser.add_argument("--controls", type=int, default=200, help="cuts for each planted fault")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.name}")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, or 3 where something was violated or a planted fault not seen."""
    options = _options(arguments)
    # A writer may be done before its signal comes, which counts for nothing: so a quarter more are sent.
    wanted, options.kills = options.kills, options.kills + options.kills // 4
    started, told = time.monotonic(), 0.0
    todo = pieces(options.cuts, options.kills, options.faults, options.controls)
    found: dict[str, power.Outcome] = {}
    for number, (piece, outcome) in enumerate(_run(todo, options.workers), start=1):
        found.setdefault(piece.kind, power.Outcome()).add(outcome)
        if time.monotonic() - told > 5:
            told = time.monotonic()
            print(f"[{number}/{len(todo)}, {told - started:.0f} s] {piece.kind}", file=sys.stderr, flush=True)
    result = report.result(found)
    if options.page:
        PAGE.write_text(report.page(found, time.monotonic() - started), encoding="utf-8")
    print(report.terminal(found))
    print(f"RESULT {json.dumps(result)}")
    good = result["violations"] == 0 and result["controls_seen"] == len(controls.CONTROLS) and result["kills"] >= wanted
    return 0 if good else BROKEN


if __name__ == "__main__":
    sys.exit(main())

"""``python -m audits``: run the audit, print its tables, and end with one line that a machine can read."""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

from audits import report, work
from audits.composition import ACCOUNTING, ROOT
from audits.mechanisms import MECHANISMS
from audits.work import PARTS, Piece, Results, Sizes

PAGE = ROOT / "docs" / "reference" / "privacy-audit.md"
VECTORS = ROOT / "audits" / "vectors" / "dp_accounting.jsonl"
BROKEN = 3
UNREADY = 30
# Prints its version without the import path of this checkout.
ASK_VERSION = "from importlib.metadata import version; print(version('dp-accounting'))"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m audits", description=__doc__)
    parser.add_argument("--full", action="store_true", help="draw what PRV-05, -06 and -14 ask for; write the page")
    parser.add_argument("--runs", type=int, help="releases of each mechanism with the person, and as many without")
    parser.add_argument("--seed", type=int, default=20261121, help="of data and plans; noise has none")
    parser.add_argument("--part", action="append", choices=PARTS, help="one part only; may be repeated")
    parser.add_argument(
        "--only",
        action="append",
        choices=[item.name for item in MECHANISMS],
        help="one mechanism only; may be repeated",
    )
    parser.add_argument(
        "--plant", choices=work.FAULT_NAMES, help="audit this fault as if it were shipped: it must fail"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes; 1 runs everything in this one")
    return parser.parse_args(arguments)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _run(pieces: list[Piece], workers: int) -> Iterator[tuple[int, object]]:
    """Results with the pieces' places, as they come; the longest start first."""
    started = time.monotonic()

    def tell(done: int, piece: Piece) -> None:
        _say(f"[{done}/{len(pieces)}, {time.monotonic() - started:.0f} s] {piece.name}")

    order = sorted(range(len(pieces)), key=lambda place: -pieces[place].weight)
    if workers == 1:
        for done, place in enumerate(order, start=1):
            yield place, pieces[place].run(*pieces[place].arguments)
            tell(done, pieces[place])
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(pieces[place].run, *pieces[place].arguments): place for place in order}
        for done, future in enumerate(as_completed(futures), start=1):
            yield futures[future], future.result()
            tell(done, pieces[futures[future]])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    _say(f"wrote {path.relative_to(ROOT)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, 3 when a claim is broken or a fault not seen, 30 without the accountant."""
    options = _options(arguments)
    sizes = Sizes.full() if options.full else Sizes()
    if options.runs:
        sizes = dataclasses.replace(sizes, runs=options.runs, controls=min(options.runs, sizes.controls))
    parts = tuple(options.part or (("mechanisms",) if options.only or options.plant else PARTS))
    if options.plant:
        pieces = [Piece(f"planted: {options.plant}", work.planted, (options.plant, sizes.runs, options.seed), 1)]
    else:
        pieces = work.pieces(parts, sizes, options.seed, tuple(options.only or ()))
    if not options.plant and {"composition", "controls"} & set(parts) and not ACCOUNTING.exists():
        _say("the accountant's packages are not installed: run `make audit-privacy`")
        return UNREADY
    started = time.monotonic()
    found = dict(_run(pieces, options.workers))
    results = Results()
    for place in sorted(found):
        results.add(found[place])
    if options.full and parts == PARTS and not options.plant:
        asked = subprocess.run([ACCOUNTING, "-I", "-c", ASK_VERSION], capture_output=True, text=True, check=True)
        accounting = f"dp-accounting {asked.stdout.strip()}"
        _write(PAGE, report.page(results, sizes, [f"opendp {version('opendp')}", accounting]))
        _write(VECTORS, report.vectors(results.compared[0], accounting))
    print(report.terminal(results))
    print(report.result_line(results, sizes, time.monotonic() - started))
    return BROKEN if results.broken or results.missed else 0


if __name__ == "__main__":
    sys.exit(main())

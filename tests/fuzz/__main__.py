"""``python -m tests.fuzz --seconds 3600``: atheris where it is installed (``make fuzz``), else mutations from a seed.

The time is shared among the targets. It ends with status 1 and the bytes in hexadecimal where anything but a typed
refusal came, or where memory grew by more than 100 MB.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutations import mutated
from tests.fuzz.targets import TARGETS, Target
from trustquery.errors import TrustQueryError

MOST_MB = 100


def peak_mb() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def attempt(target: Target, data: bytes) -> None:
    """One input; a typed refusal is as good as a success."""
    with contextlib.suppress(TrustQueryError):
        target.run(data)


def by_mutation(target: Target, seconds: float, seed: int) -> int:
    """Returns how many inputs were tried."""
    seeds, tried, ends = target.seeds(), 0, time.monotonic() + seconds
    for data in seeds:
        attempt(target, data)
    before = peak_mb()
    for data in mutated(seeds, Random(seed)):
        if time.monotonic() >= ends:
            break
        try:
            attempt(target, data)
        except BaseException:
            print(data.hex())
            raise
        tried += 1
    if peak_mb() - before > MOST_MB:
        raise MemoryError(f"{peak_mb() - before:.0f} MB")
    return tried


def by_atheris(name: str, seconds: int) -> None:
    """One target under atheris, which follows the branches of our own code; it ends the process."""
    # It is installed in a venv of its own, which the type checker does not see.
    atheris: Any = importlib.import_module("atheris")
    target = TARGETS[name]
    atheris.instrument_all()
    limits = [f"-max_total_time={seconds}", f"-rss_limit_mb={peak_mb() + 400:.0f}", "-max_len=65536", "-timeout=10"]
    with tempfile.TemporaryDirectory() as corpus:
        for place, seed in enumerate(target.seeds()):
            (Path(corpus) / str(place)).write_bytes(seed)
        atheris.Setup([sys.argv[0], *limits, corpus], lambda data: attempt(target, data))
        atheris.Fuzz()


def main() -> int:
    """Every target in turn, each in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=3_600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=sorted(TARGETS))
    given = parser.parse_args()
    found = importlib.util.find_spec("atheris") is not None
    if given.target and found:
        by_atheris(given.target, given.seconds)
    if given.target:
        print(f"{given.target}: {by_mutation(TARGETS[given.target], given.seconds, given.seed)} inputs")
        return 0
    each, worst = max(1, given.seconds // len(TARGETS)), 0
    for name in TARGETS:
        print(f"{name}: {each} s, {'atheris' if found else 'mutations'}", flush=True)
        words = [
            sys.executable,
            "-m",
            "tests.fuzz",
            "--target",
            name,
            "--seconds",
            str(each),
            "--seed",
            str(given.seed),
        ]
        worst = max(worst, subprocess.run(words, check=False).returncode)
    return 1 if worst else 0


if __name__ == "__main__":
    raise SystemExit(main())

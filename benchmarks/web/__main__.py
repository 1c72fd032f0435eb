"""``python -m benchmarks.web``: pages over HTTPS on this machine, beside a page that does nothing (the limit)."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from benchmarks.web.past import fill
from benchmarks.web.routes import LIMIT, addresses
from coordinator.api.pages.door import SESSION_COOKIE
from tests.lib.public_site import serving


def timed(client: httpx.Client, path: str, runs: int) -> list[float]:
    """Seconds of each of several requests, after one that is not counted."""
    found = []
    for number in range(runs + 1):
        began = time.perf_counter()
        reply = client.get(path)
        seconds = time.perf_counter() - began
        if reply.status_code != 200:
            raise SystemExit(f"{path}: {reply.status_code}")
        if number:
            found.append(seconds)
    return found


def main() -> None:
    """Fill a store, ask for each page, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web")
    parser.add_argument("--projects", type=int, default=1_000)
    parser.add_argument("--questions", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()

    def said(words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as name, serving(Path(name), with_local=True, keep_seconds=5) as (made, home):
        fill(made, arguments.projects, arguments.questions, said)
        cookies = {SESSION_COOKIE: made.session("ada")}
        times: dict[str, list[float]] = {}
        with httpx.Client(
            base_url=f"https://{made.public}",
            verify=str(home.authority),
            cookies=cookies,
            headers={"Accept": "text/html"},
            timeout=120,
        ) as client:
            for path in addresses(made):
                times[path] = timed(client, path, arguments.runs)
    show(times, arguments)


def show(times: Mapping[str, list[float]], arguments: argparse.Namespace) -> None:
    """A line for each page, and the figures."""
    limit = statistics.median(times[LIMIT])
    for path, found in times.items():
        middle = statistics.median(found)
        shown = path if len(path) < 60 else path[:59] + "…"
        print(f"{shown:62} median {middle * 1e3:8.1f} ms  slowest {max(found) * 1e3:8.1f} ms  {middle / limit:6.1f}x")
    pages = [seconds for path, found in times.items() if path != LIMIT for seconds in found]
    worst = max((statistics.median(found), path) for path, found in times.items())
    result = {
        "median_ms": round(statistics.median(pages) * 1e3, 1),
        "p99_ms": round(statistics.quantiles(pages, n=100)[98] * 1e3, 1),
        "slowest_page_median_ms": round(worst[0] * 1e3, 1),
        "slowest_page": worst[1],
        "limit_ms": round(limit * 1e3, 1),
        "pages": len(times) - 1,
        "projects": arguments.projects,
        "questions": arguments.questions,
    }
    print("RESULT " + json.dumps(result))


if __name__ == "__main__":
    main()

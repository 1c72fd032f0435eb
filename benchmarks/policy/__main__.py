"""``python -m benchmarks.policy``: a past is recorded, then replayed; reading and parsing it alone is the limit."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.policy.past import policies, record, requests
from node_agent.budget import SqliteLedger
from node_agent.budget.database import Database
from node_agent.budget.decisions import DecisionReader
from node_agent.replay import check, replay


def timed(work: Callable[[], object], runs: int) -> float:
    """Median seconds of several runs."""
    found = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def main() -> None:
    """Record, replay, check, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policy")
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    versions = policies()
    asked = list(requests(arguments.inputs, versions[0]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        began = time.perf_counter()
        ledger = SqliteLedger(path)
        record(ledger, versions, asked)
        ledger.close()
        recording = time.perf_counter() - began
        db = Database(path, write=False)
        reader, newest = DecisionReader(db), versions[-1]

        def parse() -> None:
            for decided in reader.since():
                json.loads(decided.input)

        limit = timed(parse, arguments.runs)
        seconds = timed(lambda: replay(newest, reader.since()), arguments.runs)
        kept = {policy.sha256: policy for policy in versions}
        began = time.perf_counter()
        checked = check(reader.since(), kept.get)
        checking = time.perf_counter() - began
        found = replay(newest, reader.since())
        db.close()
    total = arguments.inputs
    print(f"{'recording, one durable write each':44} {recording:8.3f} s  {total / recording:10.0f} a second")
    print(f"{'reading and parsing the rows (the limit)':44} {limit:8.3f} s  {total / limit:10.0f} a second")
    print(f"{'replay under the newest version':44} {seconds:8.3f} s  {total / seconds:10.0f} a second")
    print(f"{'check against the version of the time':44} {checking:8.3f} s  {total / checking:10.0f} a second")
    print(f"{found.now_refused} of {found.total} would now be refused, {found.now_allowed.total()} now allowed")
    result = {
        "inputs": total,
        "seconds": round(seconds, 3),
        "equal": checked.equal,
        "evaluations_per_second": round(total / seconds),
        "limit_seconds": round(limit, 3),
    }
    print("RESULT " + json.dumps(result))


if __name__ == "__main__":
    main()

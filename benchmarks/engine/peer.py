"""Asking SmartNoise SQL the same, in its own virtual environment, and how long that takes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import duckdb

from benchmarks.accuracy.peer import SCRIPT, PeerFailed
from benchmarks.engine.questions import Question

__all__ = ["peer_seconds"]

DRAWS = 3
MOST_ROWS = 5


def peer_seconds(
    python: Path, raw: Path, questions: Sequence[Question], folder: Path, *, threads: int
) -> tuple[str, dict[str, float]]:
    """Its version, and by question the seconds of its quickest answer; without those that it refuses.

    Raises:
        PeerFailed: no answer.
    """
    asked = []
    with duckdb.connect(config={"threads": threads}) as connection:
        for path in raw.glob("*.parquet"):
            connection.read_parquet(str(path)).create_view(path.stem)
        for question in questions:
            if question.flat:
                path = folder / f"{question.id}.parquet"
                connection.sql(question.flat).write_parquet(str(path))
                asked.append(
                    {
                        "id": question.id,
                        "parquet": str(path),
                        "statement": question.statement,
                        "keys": question.keys,
                        "bounds": question.bounds,
                    }
                )
    job = {"epsilon": 1.0, "delta": 1e-8, "draws": DRAWS, "max_ids": MOST_ROWS, "questions": asked}
    done = subprocess.run([python, "-I", SCRIPT], input=json.dumps(job), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PeerFailed(done.stderr[-2_000:])
    said = json.loads(done.stdout)
    answers = said["answers"]
    return said["version"], {name: min(item["seconds"]) for name, item in answers.items() if item.get("seconds")}

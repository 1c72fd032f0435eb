"""Asking the peer, from our side of the pipe."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.accuracy.data import Raw
from benchmarks.accuracy.metric import Cells, cells_of
from benchmarks.accuracy.questions import Question

__all__ = ["PeerAnswer", "PeerFailed", "ask_peer"]

SCRIPT = Path(__file__).with_name("peer_smartnoise.py")


class PeerFailed(RuntimeError):
    """The peer's process ended without an answer."""


@dataclass(frozen=True)
class PeerAnswer:
    """What the peer said to one question.

    Attributes:
        draws: one table for each time that it was asked.
        refused: why there are none.
        columns: figures with noise of their own, which share the epsilon.
    """

    draws: tuple[Cells, ...] = ()
    refused: str = ""
    columns: int = 0


def ask_peer(
    python: Path,
    raw: Raw,
    questions: Sequence[Question],
    folder: Path,
    *,
    epsilon: float,
    delta: float,
    draws: int,
    max_ids: int,
) -> tuple[str, dict[str, PeerAnswer]]:
    """Its version, and an answer for each question.

    Args:
        python: interpreter of its virtual environment.
        epsilon: for a whole question, however many figures it has.
        max_ids: rows that it keeps of each person, sampled anew each time.

    Raises:
        PeerFailed: no answer.
    """
    asked: list[dict[str, Any]] = []
    for question in questions:
        path = folder / f"{question.id}.parquet"
        raw.flat(question, path)
        asked.append(
            {
                "id": question.id,
                "parquet": str(path),
                "statement": question.peer.statement,
                "keys": question.keys,
                "bounds": question.peer.bounds,
            }
        )
    job = {"epsilon": epsilon, "delta": delta, "draws": draws, "max_ids": max_ids, "questions": asked}
    done = subprocess.run(
        [python, "-I", SCRIPT],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PeerFailed(done.stderr[-2000:])
    found = json.loads(done.stdout)
    return str(found["version"]), {
        question.id: _answer(question, found["answers"][question.id], epsilon) for question in questions
    }


def _answer(question: Question, found: dict[str, Any], epsilon: float) -> PeerAnswer:
    if "refused" in found:
        return PeerAnswer(refused=found["refused"])
    if abs(found["epsilon"] - epsilon) > 1e-9:
        raise PeerFailed(f"{question.id}: spent {found['epsilon']} in place of {epsilon}")
    return PeerAnswer(tuple(cells_of(draw, question.keys) for draw in found["draws"]), columns=int(found["columns"]))

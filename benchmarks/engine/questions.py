"""The dozen questions, for us, for plain DuckDB and for the peer; their texts are in ``questions.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["QUESTIONS", "Question"]


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        raw: the same aggregate in plain DuckDB.
        tables: catalogue tables that it reads.
        one_cell: whether all rows of one person are in one cell.
        unknown_keys: whether its keys are found in the data.
        areas: whether it pins the table of small areas.
        flat: makes SmartNoise's table; empty where it has no way to say the question.
        statement: what SmartNoise is asked about it.
    """

    id: str
    words: str
    kind: str
    sql: str
    raw: str
    tables: tuple[str, ...]
    one_cell: bool
    unknown_keys: bool = False
    areas: bool = False
    flat: str = ""
    statement: str = ""
    keys: int = 0
    bounds: tuple[int, int] | None = None


def _read(item: dict[str, object]) -> Question:
    lists = {name: tuple(value) for name, value in item.items() if isinstance(value, list)}
    return Question(**(item | lists))  # type: ignore[arg-type]


QUESTIONS = tuple(
    map(_read, tomllib.loads(Path(__file__).with_name("questions.toml").read_text(encoding="utf-8"))["questions"])
)

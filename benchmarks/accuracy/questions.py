"""The dozen questions, each for us, for plain DuckDB and for the peer; their texts are in ``questions.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["MACROS", "QUESTIONS", "Peer", "Question"]

MACROS = ("CREATE MACRO clamp(x, lo, hi) AS least(greatest(x, lo), hi)",)
"""What our language has and DuckDB has not."""


@dataclass(frozen=True)
class Peer:
    """One question as SmartNoise SQL is asked it.

    Attributes:
        flat: makes its table from the raw ones: ``pid``, ``k0``, ``k1``, … and ``v``.
        statement: what it is asked about ``bench.flat``: the keys, then one figure.
        bounds: public bounds of ``v``.
    """

    flat: str
    statement: str
    bounds: tuple[int, int] | None


@dataclass(frozen=True)
class Question:
    """One question; its columns are the keys, then one figure.

    Attributes:
        sql: as we are asked it, and as plain DuckDB says the truth over the raw files.
        keys: number of keys.
        tables: catalogue tables that it reads.
        one_cell: whether all rows of one person are in one cell.
    """

    id: str
    words: str
    sql: str
    keys: int
    tables: tuple[str, ...]
    peer: Peer
    one_cell: bool


def _read(item: dict[str, Any]) -> Question:
    peer = item["peer"]
    bounds = (peer["bounds"][0], peer["bounds"][1]) if "bounds" in peer else None
    return Question(
        item["id"],
        item["words"],
        item["sql"],
        item["keys"],
        tuple(item["tables"]),
        Peer(peer["flat"], peer["statement"], bounds),
        item.get("one_cell", False),
    )


QUESTIONS = tuple(
    map(_read, tomllib.loads(Path(__file__).with_name("questions.toml").read_text(encoding="utf-8"))["questions"])
)

"""Edits of a ledger's file by somebody who knows how it is made: the hashes of rows go along, the chain does not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from node_agent.budget.rows import FUNCTION, TRIGGERS, hash_of_row

__all__ = ["editing"]


@contextmanager
def editing(path: Path, *, clumsily: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection whose edits are committed at the end; triggers find what they call.

    Args:
        clumsily: the hashes of rows stay as they were.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function(FUNCTION, -1, hash_of_row, deterministic=True)
        triggers = TRIGGERS if clumsily else {}
        with connection:
            connection.executescript("".join(f"DROP TRIGGER {name};" for name in triggers))
            yield connection
            for sql in triggers.values():
                connection.execute(sql)

"""SmartNoise SQL, asked in a process and a virtual environment of its own: it pins other versions than we do.

Reads one JSON job on standard input and writes one JSON answer on standard output; nothing of ours is imported here.
DuckDB stands behind it in place of the SQLite that it would copy a data frame into: the same statements, in less time.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
import warnings
from typing import Any

import duckdb
from snsql import Privacy
from snsql.sql.private_reader import PrivateReader
from snsql.sql.reader.base import SqlReader
from snsql.sql.reader.engine import Engine

TABLE = "flat"


class DuckDBReader(SqlReader):  # type: ignore[misc]
    """Runs the exact, sampled statement that SmartNoise writes; noise is its own afterwards."""

    ENGINE = Engine.POSTGRES

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(self.ENGINE)
        self.connection = connection

    def execute(self, query: str, *ignore: Any, accuracy: bool = False) -> list[Any]:
        """Column names first, then rows."""
        cursor = self.connection.execute(query)
        return [tuple(item[0] for item in cursor.description or []), *cursor.fetchall()]


def metadata(question: dict[str, Any], max_ids: int) -> dict[str, Any]:
    """SmartNoise's own description of the table: bounds, person key, five rows a person, public keys."""
    columns: dict[str, Any] = {"pid": {"type": "string", "private_id": True}}
    for place in range(question["keys"]):
        columns[f"k{place}"] = {"type": "string"}
    if question["bounds"] is not None:
        lower, upper = question["bounds"]
        columns["v"] = {"type": "int", "lower": lower, "upper": upper}
    options = {
        "max_ids": max_ids,
        "row_privacy": False,
        "sample_max_ids": True,
        "clamp_columns": True,
        # Keys are public here, as they are for us: no cell is dropped by threshold.
        "censor_dims": False,
        "clamp_counts": False,
    }
    return {"": {"bench": {TABLE: options | columns}}}


def ask(question: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """All draws of one question, or why it is refused."""
    described = metadata(question, job["max_ids"])
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("CREATE SCHEMA bench")
        connection.read_parquet(question["parquet"]).create(f"bench.{TABLE}")
        reader = DuckDBReader(connection)
        try:
            probe = PrivateReader(reader, described, privacy=Privacy(epsilon=1.0, delta=job["delta"]))
            costs = probe._get_mechanism_costs(question["statement"])
            # Its epsilon is for each noised column: the whole is shared out equally among them.
            columns = sum(cost is not None for cost in costs)
            privacy = Privacy(epsilon=job["epsilon"] / columns, delta=job["delta"])
            private = PrivateReader(reader, described, privacy=privacy)
            draws, seconds = [], []
            for _ in range(job["draws"]):
                started = time.perf_counter()
                draws.append(private.execute(question["statement"])[1:])
                seconds.append(time.perf_counter() - started)
        except duckdb.Error:
            raise
        except Exception as error:
            return {"refused": str(error).splitlines()[0][:200]}
        spent = sum(
            epsilon for epsilon, _ in (cost for cost in private._get_mechanism_costs(question["statement"]) if cost)
        )
    answers = [[list(row) for row in draw] for draw in draws]
    return {"columns": columns, "epsilon": spent, "draws": answers, "seconds": seconds}


def main() -> None:
    """Answer one job."""
    out, sys.stdout = (
        sys.stdout,
        sys.stderr,
    )  # rules: allow print - the pipe to the parent; what the peer prints is not data
    warnings.simplefilter("ignore")
    job = json.load(sys.stdin)
    answers = {question["id"]: ask(question, job) for question in job["questions"]}
    version = importlib.metadata.version("smartnoise-sql")
    json.dump({"version": version, "answers": answers}, out)


if __name__ == "__main__":
    main()

"""One query as a task for the engine's processes."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from node_agent.config import EngineConfig
from node_agent.engines.blocks import block_queries
from node_agent.engines.job import Job
from node_agent.engines.order import Task
from node_agent.engines.relation_sql import public_name
from node_agent.engines.routes import Way, routes
from node_agent.engines.rows import rows_query
from node_agent.engines.sql import FEW, PLACE, VALUE, H, U, key_table
from trustquery.catalogue import ColumnType
from trustquery.codelists import PublicTable
from trustquery.model import Query
from trustquery.model.scope import Tables
from trustquery.planning import Plan

__all__ = ["ARROW_TYPES", "public_table", "task_of"]

ARROW_TYPES = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.TEXT: pa.string(),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIMESTAMP: pa.timestamp("us"),
    ColumnType.BOOLEAN: pa.bool_(),
}


def task_of(query: Query, plan: Plan, tables: Tables, limits: EngineConfig, way: Way = "cheapest") -> Task:
    """The task of one query, from the model, the plan and pinned public rows alone.

    Args:
        way: as for ``routes``.
    """
    ways = routes(query, plan, tables, way)
    blocks = block_queries(query, plan) if ways.ranked else []
    rows = rows_query(query, tables) if ways.ranked else None
    job = Job(
        plain=ways.plain,
        stream=ways.stream,
        parts=ways.parts,
        bounded=ways.bounded,
        rows=rows,
        ranked={place: blocks[place] for place in ways.ranked},
        lengths=[] if plan.has_unknown_keys else [block.length for block in plan.blocks],
        cells=0 if plan.has_unknown_keys else plan.cells,
        threads=limits.threads,
        memory_mb=limits.memory_mb,
        seconds=limits.seconds,
        spans={
            place: (block.span, tuple(map(float, block.bins.cuts)))
            for place, block in enumerate(plan.blocks)
            if block.bins is not None
        },
        mapped=ways.mapped,
        apart=ways.apart,
        rows_at_a_time=ways.part_rows,
    )
    reads = {}
    for name, columns in ways.reads.items():
        dataset, table = name.split("/", 1)
        by_value = ways.mapped.reads if ways.mapped is not None and ways.mapped.table == name else ()
        reads[name] = (dataset, table, tuple(sorted({*columns, *by_value})))
    public = {public_name(pin.id): public_table(tables.public.pinned(pin)) for pin in query.read_inputs}
    return Task(job, reads, public | _key_tables(query))


def _key_tables(query: Query) -> dict[str, pa.Table]:
    """The values of keys that have many, with their places."""
    return {
        key_table(place): pa.table(
            {
                VALUE: pa.array([_value(key.type, value) for value in key.values], ARROW_TYPES[key.type]),
                PLACE: pa.array(range(len(key.values)), pa.int64()),
            }
        )
        for place, key in enumerate(query.keys)
        if key.kind != "unknown" and len(key.values) > FEW
    }


def public_table(table: PublicTable) -> pa.Table:
    """A public table's rows, with their ranks."""
    columns = {
        column.name: pa.array([_value(column.type, row[place]) for row in table.rows], ARROW_TYPES[column.type])
        for place, column in enumerate(table.columns)
    }
    columns[U] = pa.array(table.ranks, pa.int64())
    columns[H] = pa.array(range(1, len(table.rows) + 1), pa.int64())
    return pa.table(columns)


def _value(kind: ColumnType, value: Any) -> Any:
    if value is None:
        return None
    readers: dict[ColumnType, Callable[[Any], Any]] = {
        ColumnType.NUMBER: float,
        ColumnType.DATE: datetime.date.fromisoformat,
        ColumnType.TIMESTAMP: datetime.datetime.fromisoformat,
    }
    return readers[kind](value) if kind in readers else value

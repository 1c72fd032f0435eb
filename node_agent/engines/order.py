"""What the node hands to the engine's parent, and what comes back, as bytes.

Length and JSON first, then each public table as an Arrow stream. It comes from this program alone, over a socket
without a name; keys of the files that are read are in it, so it is never written anywhere.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from node_agent.engines.job import Bounded, Integers, Job, Lookup, Mapped
from node_agent.sources.sealed import Seal

__all__ = ["Order", "Task", "read_order", "read_outcome", "write_order", "write_outcome"]


@dataclass(frozen=True)
class Task:
    """One query for the engine's process.

    Attributes:
        reads: by name in SQL, a table about people: dataset, table, and the columns that are read.
        public: by name in SQL, a public table.
    """

    job: Job
    reads: Mapping[str, tuple[str, str, tuple[str, ...]]]
    public: Mapping[str, pa.Table]


@dataclass(frozen=True)
class Order:
    """A task, over which data and with which limits.

    Attributes:
        folder: the data version's.
        seal: with the keys of its files.
        cache_mb: size of the columns that may stay in memory.
        everybody: whether rows of people whom a list of opt-outs excludes are read too.
    """

    task: Task
    folder: Path
    seal: Seal
    cpu_seconds: int
    cache_mb: int
    everybody: bool


def write_order(order: Order) -> bytes:
    """The order as bytes."""
    task, seal = order.task, order.seal
    head = {
        "job": asdict(task.job),
        "reads": task.reads,
        "public": list(task.public),
        "folder": str(order.folder),
        "seal": [None if seal.key is None else seal.key.hex(), seal.salt.hex(), seal.version],
        "cpu_seconds": order.cpu_seconds,
        "cache_mb": order.cache_mb,
        "everybody": order.everybody,
    }
    parts = [json.dumps(head).encode()]
    for table in task.public.values():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        parts.append(sink.getvalue().to_pybytes())
    return b"".join(struct.pack("<q", len(part)) + part for part in parts)


def read_order(data: bytes) -> Order:
    """The order that the bytes say.

    Raises:
        ValueError, KeyError, TypeError, struct.error: they say none.
    """
    parts, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<q", data, at)
        parts.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    head: dict[str, Any] = json.loads(parts[0])
    reads = {name: (dataset, table, tuple(columns)) for name, (dataset, table, columns) in head["reads"].items()}
    public = {name: pa.ipc.open_stream(part).read_all() for name, part in zip(head["public"], parts[1:], strict=True)}
    job = head["job"]
    job["bounded"] = {int(place): _bounded(bound) for place, bound in job["bounded"].items()}
    job["spans"] = {int(place): (span, tuple(cuts)) for place, (span, cuts) in job["spans"].items()}
    job["mapped"] = _mapped(job["mapped"]) if job["mapped"] is not None else None
    job["ranked"] = {int(place): statement for place, statement in job["ranked"].items()}
    key, salt, version = head["seal"]
    seal = Seal(None if key is None else bytes.fromhex(key), bytes.fromhex(salt), version)
    task, folder = Task(Job(**job), reads, public), Path(head["folder"])
    # Only the very word lets opted-out people in.
    return Order(task, folder, seal, head["cpu_seconds"], head["cache_mb"], head["everybody"] is True)


def _bounded(said: dict[str, Any]) -> Bounded:
    return Bounded(**(said | {"cuts": tuple(said["cuts"])}))


def _mapped(said: dict[str, Any]) -> Mapped:
    parts = {
        "lookups": tuple(Lookup(**lookup) for lookup in said["lookups"]),
        "keys": tuple((at, item) for at, item in said["keys"]),
        "wheres": tuple((at, item) for at, item in said["wheres"]),
        "values": tuple(None if value is None else (value[0], value[1]) for value in said["values"]),
        "filters": tuple(tuple((at, item) for at, item in tests) for tests in said["filters"]),
        "bounded": tuple(map(_bounded, said["bounded"])),
    }
    return Mapped(**(said | parts))


def write_outcome(found: Sequence[Integers] | dict[str, int]) -> bytes:
    """The vector, or counts by label, as bytes: their length, and then all integers, or JSON."""
    if isinstance(found, dict):
        data = json.dumps(found).encode()
    else:
        data = b"".join(block.astype("<i8").tobytes() for block in found)
    return struct.pack("<q", len(data)) + data


def read_outcome(data: bytes) -> bytes:
    """What ``write_outcome`` wrote, less the length.

    Raises:
        ValueError: something is missing.
    """
    if len(data) < 8 or len(data) != 8 + struct.unpack_from("<q", data)[0]:
        raise ValueError("cut short")
    return data[8:]

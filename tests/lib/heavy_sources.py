"""Source files that a malicious supplier might hand to a trust, and what reading them takes.

``python -m tests.lib.heavy_sources make FOLDER NAME…`` makes them; ``python -m tests.lib.heavy_sources read FOLDER MB
NAME…`` has the product prepare one after the other in one home, with so large a limit, and says in a line of JSON: its
name, what came of it, by how much this process (the node's part) grew, the most that any child has had so far, both in
MiB, what was left half written, and the data version that is in use.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from node_agent import preparing
from node_agent.config import Home, NodeConfig, parse_config
from node_agent.sources.store import Store
from tests.lib.heavy_input import peak_kb
from trustquery.errors import TrustQueryError

__all__ = ["FILES", "SAMPLE", "config_of"]

COLUMNS = ("observation_period_id", "person_id", "observation_period_start_date", "observation_period_end_date",
           "period_type_concept_id")  # fmt: skip
MIB = 1024 * 1024


def _honest(path: Path) -> None:
    pq.write_table(_table(pa.array(["5"] * 3)), path.with_suffix(".parquet"))


def _table(last: pa.Array) -> pa.Table:
    """Rows of which the last column is whatever is given; some tens of bytes each otherwise."""
    number = len(last)
    columns = [pa.array([str(row) for row in range(number)])] * 2 + [pa.array(["2020-01-01"] * number)] * 2
    return pa.table(dict(zip(COLUMNS, [*columns, last], strict=True)))


def _pages(path: Path) -> None:
    """Pages of zeros: 1.5 GB of text in some hundred kilobytes."""
    table = _table(pa.array(["0" * (128 * MIB)]))
    with pq.ParquetWriter(path.with_suffix(".parquet"), table.schema, compression="zstd", use_dictionary=False) as file:
        for _ in range(12):
            file.write_table(table)


def _dictionary(path: Path) -> None:
    """One long text, named 400,000 times by a run of one number: 400 GB."""
    last = pa.DictionaryArray.from_arrays(pa.array([0] * 400_000, pa.int32()), pa.array(["0" * MIB]))
    pq.write_table(_table(last), path.with_suffix(".parquet"), compression="zstd")


def _nested(path: Path, depth: int = 2_000) -> None:
    """A list of lists of lists, deeper than a reader's stack may be."""
    last = pa.array([1])
    for _ in range(depth):
        last = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), last)
    pq.write_table(_table(last), path.with_suffix(".parquet"), store_schema=False)


def _groups(path: Path) -> None:
    """One row a group: the footer is all there is of it."""
    table = _table(pa.array(["5"]))
    with pq.ParquetWriter(path.with_suffix(".parquet"), table.schema) as file:
        for _ in range(10_000):
            file.write_table(table)


def _claims(path: Path) -> None:
    """A footer that says that its list of columns has two thousand million entries."""
    # Thrift compact: field 1, i32 1; field 2, a list of structs with a long size.
    footer = b"\x15\x02\x19\xfc" + b"\xff\xff\xff\xff\x07" + b"\x48\x01x\x00" * 1_000
    path.with_suffix(".parquet").write_bytes(b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1")


def _footer(path: Path) -> None:
    """A footer that is longer than the file."""
    path.with_suffix(".parquet").write_bytes(b"PAR1" + b"\x15\x02" * 50 + struct.pack("<I", 0x7FFFFFFF) + b"PAR1")


def _arrow(path: Path) -> None:
    """Another format under this one's name: an Arrow file whose buffers claim more than there is."""
    with pa.ipc.new_file(path.with_suffix(".parquet"), _table(pa.array(["5"])).schema) as file:
        file.write_table(_table(pa.array(["5" * 100])))


def _one_line(path: Path) -> None:
    """A text without an end of line: a sparse file of 8 GB."""
    with path.with_suffix(".csv").open("wb") as file:
        file.write(",".join(COLUMNS).encode() + b'\n1,1,2020-01-01,2020-12-31,"')
        file.truncate(8 * 1024 * MIB)


def _columns(path: Path) -> None:
    """A header of a million names."""
    names = ",".join([*COLUMNS, *(f"c{number}" for number in range(1_000_000))])
    path.with_suffix(".csv").write_text(names + "\n" + "," * 1_000_004 + "\n")


FILES: dict[str, Callable[[Path], None]] = {
    "honest": _honest,
    "pages": _pages,
    "dictionary": _dictionary,
    "nested": _nested,
    "groups": _groups,
    "claims": _claims,
    "footer": _footer,
    "arrow": _arrow,
    "one line": _one_line,
    "columns": _columns,
}
SAMPLE = ("honest", "pages")
"""What every run of the tests reads; the others with ``--full-size``."""


def config_of(folder: Path, megabytes: int) -> NodeConfig:
    """The settings of a node whose data are in this folder, in the format that is there."""
    form = next(path.suffix[1:] for path in folder.iterdir() if path.stem == "observation_period")
    return parse_config(
        f'format = "tq-node-1"\n[node]\nods = "RX1"\nname = "Ash"\n[engine]\nprepare_mb = {megabytes}\n'
        f'[[source]]\ndataset = "omop-5.4"\nformat = "{form}"\npath = "{folder}"\n'
    )


def _make(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).mkdir()
        FILES[name](folder / name / "observation_period")


def _read(folder: Path, megabytes: int, names: list[str]) -> None:
    home = Home(folder / f"home {megabytes}")
    home.create()
    for name in names:
        Path("/proc/self/clear_refs").write_text("5")
        before, came = peak_kb(), "accepted"
        try:
            preparing.prepare(home, config_of(folder / name, megabytes))
        except TrustQueryError as error:
            came = error.code
        left = [path.name for path in home.store.glob("v*.building/*/*.building")]
        grew, child = peak_kb() - before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(json.dumps([name, came, grew // 1024, child // 1024, left, _version(home)]), flush=True)


def _version(home: Home) -> int:
    """The data version in use, 0 for none."""
    try:
        return Store.open(home.store).data_version
    except TrustQueryError:
        return 0


if __name__ == "__main__":
    if sys.argv[1] == "make":
        _make(Path(sys.argv[2]), sys.argv[3:])
    else:
        _read(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])

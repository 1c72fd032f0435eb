"""Prepared tables as encrypted Parquet files: written once, read by column.

Parquet modular encryption (AES-256-GCM over every page and the footer), one key a file, derived from the store's key
and the version's random salt. What the file is, is authenticated with it: files cannot change places, and none of
another version can be put back. Keys stay in the processes that read and write; no engine's SQL ever opens a file.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["ALLOWED", "PEOPLE", "ROWS_PER_GROUP", "SALT_BYTES", "Seal", "path_of", "read_columns", "write_table"]

PEOPLE = "_people"
"""A dataset's file of dense index and person key: for what comes by key, such as lists of those who have opted out."""
ALLOWED = "_allowed"
"""A dataset's file of one truth a person, in the order of the dense index: whether no list of opt-outs has them."""
MAX_DICTIONARY = 2**24
"""Bytes of a dictionary page: 33,000 areas of nine letters are well below."""

ROWS_PER_GROUP = 122_880
SALT_BYTES = 16


@dataclass(frozen=True)
class Seal:
    """The encryption of one version's files; without a key they are plain.

    Attributes:
        key: the store's 32 bytes, or None where ``node.toml`` says that something else encrypts the disk.
        salt: 16 random bytes of this version's own.
        version: the data version.
    """

    key: bytes | None
    salt: bytes
    version: int

    def name_of(self, dataset: str, table: str) -> bytes:
        """What is authenticated: which table of which version."""
        return f"trustquery-store-1 v{self.version} {dataset}/{table}".encode()

    def key_of(self, dataset: str, table: str) -> bytes | None:
        """The file's own key (HKDF-SHA256, RFC 5869)."""
        if self.key is None:
            return None
        return HKDF(SHA256(), 32, self.salt, self.name_of(dataset, table)).derive(self.key)


def path_of(folder: Path, dataset: str, table: str) -> Path:
    """A table's file in a version's folder."""
    return folder / dataset / f"{table}.parquet"


def write_table(
    folder: Path, dataset: str, table: str, batches: pa.RecordBatchReader, seal: Seal, few: Collection[str] = ()
) -> int:
    """Write a table's rows, in their order, to a file of the version's folder; returns how many.

    Args:
        few: columns that are kept as dictionaries, on the disk and in memory.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    path = path_of(folder, dataset, table)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    building = path.with_suffix(".building")
    fields = [
        pa.field(field.name, pa.dictionary(pa.int32(), pa.string()) if field.name in few else field.type)
        for field in batches.schema
    ]
    key, rows, properties = seal.key_of(dataset, table), 0, None
    if key is not None:
        name = seal.name_of(dataset, table)
        properties = pe.create_encryption_properties(key, aad_prefix=name, store_aad_prefix=False)
    with open(building, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        with pq.ParquetWriter(
            file, pa.schema(fields), compression="zstd", compression_level=1, write_statistics=False,
            dictionary_pagesize_limit=MAX_DICTIONARY, encryption_properties=properties,
        ) as writer:  # fmt: skip
            for batch in batches:
                columns = [
                    column.dictionary_encode() if field.name in few else column
                    for field, column in zip(fields, batch.columns, strict=True)
                ]
                writer.write_table(pa.table(columns, schema=pa.schema(fields)), row_group_size=ROWS_PER_GROUP)
                rows += batch.num_rows
        file.flush()
        os.fsync(file.fileno())
    building.replace(path)
    return rows


def read_columns(folder: Path, dataset: str, table: str, columns: Sequence[str], seal: Seal) -> pa.Table:
    """Columns of a table, in one thread.

    Raises:
        OSError: the file is absent, is not what its name says, or was not written with this key.
    """
    key = seal.key_of(dataset, table)
    properties = None
    if key is not None:
        properties = pe.create_decryption_properties(key, aad_prefix=seal.name_of(dataset, table))
    # Reading ahead would start a thread, and whoever reads here is going to be forked.
    with pq.ParquetFile(path_of(folder, dataset, table), decryption_properties=properties, pre_buffer=False) as source:
        return source.read(columns=list(columns), use_threads=False)

"""Who may be in what is answered, as a file of the prepared store: one truth a person, in the order of the dense index.

No NHS number is in it, and no list: what a list says of a person is worked out here, once for each data version.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
from pyarrow.lib import ArrowException

from node_agent.sources.building import Building
from node_agent.sources.sealed import ALLOWED, PEOPLE, path_of, read_columns, write_table
from node_agent.sources.store import ListUsed
from trustquery.errors import TrustQueryError

__all__ = ["Allowed", "OptOuts", "write_allowed"]


@dataclass(frozen=True)
class Allowed:
    """What the lists of one moment say of a dataset's people.

    Attributes:
        lists: the lists that were applied, by kind.
        people: of each person, in the order in which they were asked about, whether no list excludes them.
    """

    lists: tuple[ListUsed, ...]
    people: Sequence[bool]


class OptOuts(Protocol):
    """The lists of opt-outs of this moment (``node_agent.optout.current``)."""

    def allowed(self, dataset: str, people: Sequence[str]) -> Allowed | None:
        """Who may be in what is answered, by their local keys; None where that cannot be told of this dataset."""
        ...


def write_allowed(
    building: Building, datasets: Collection[str], opt_outs: OptOuts | None, key: bytes | None
) -> dict[str, tuple[ListUsed, ...]]:
    """Write who is allowed, a dataset a file, by the lists of this moment; returns the lists by dataset.

    Raises:
        TrustQueryError: ``data-prepare-failed``, and what the lists raise.
    """
    used, seal = {}, building.seal(key)
    for dataset in sorted(datasets):
        path_of(building.folder, dataset, ALLOWED).unlink(missing_ok=True)
        try:
            people = read_columns(building.folder, dataset, PEOPLE, ["_key"], seal).column("_key").to_pylist()
            found = opt_outs.allowed(dataset, people) if opt_outs is not None else None
            if found is None:
                continue
            batch = pa.record_batch({"allowed": pa.array(found.people, pa.bool_())})
            batches = pa.RecordBatchReader.from_batches(batch.schema, [batch])
            if write_table(building.folder, dataset, ALLOWED, batches, seal) != len(people):
                raise TrustQueryError("data-prepare-failed", table="the list of those who are allowed")
        except (OSError, ArrowException) as error:
            raise TrustQueryError("data-prepare-failed", table="the list of those who are allowed") from error
        used[dataset] = found.lists
    return used

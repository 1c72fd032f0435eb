"""The plan: an ordered integer vector fixed before any data are read (formats.md, "plan").

Layout: block-major, then cells row-major (first axis slowest), then the bins of a histogram. Each axis has its values,
then always two more cells: *other* and *missing*.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from trustquery.identity import canonical
from trustquery.model.codec import write_bins
from trustquery.model.nodes import Bins
from trustquery.model.terms import Bound, tree_levels
from trustquery.model.unknown import MAX_UNKNOWN_KEYS

__all__ = ["PLAN_FORMAT", "SELECTION_RULE", "SIGMA_UNIT", "Axis", "Block", "Plan", "PlanOutput"]

PLAN_FORMAT = "tq-plan-3"
SELECTION_RULE = "lowest-rank-1"
UNIT = "person-at-trust"
SIGMA_UNIT = 2**20
"""Sigma is a whole number of units of 2^-20, so that every machine uses the same scale."""

Value = int | str | bool


@dataclass(frozen=True)
class Axis:
    """One grouping key: its public values, in order. ``cells`` counts the two extra ones.

    ``kind`` unknown: no values are public, and ``cells`` is the most there may be. ``kind`` trust: the values are the
    trusts asked, and each has rows in its own cells only.
    """

    name: str
    type: str
    values: tuple[Value, ...]
    kind: Literal["public", "unknown", "trust"] = "public"

    @property
    def cells(self) -> int:
        """Number of cells along this axis: the values, *other*, *missing*."""
        if self.kind == "unknown":
            return MAX_UNKNOWN_KEYS
        return len(self.values) + 2

    @property
    def other(self) -> int:
        """Position of the *other* cell; *missing* is the next."""
        return len(self.values)

    def document(self) -> dict[str, Any]:
        """Canonical-JSON data."""
        kind = {} if self.kind == "public" else {"kind": self.kind}
        return kind | {"name": self.name, "type": self.type, "values": list(self.values)}


@dataclass(frozen=True)
class Block:
    """One statistic over all cells.

    Attributes:
        statistic: index of the model's aggregate that the block holds.
        offset: first position in the vector.
        length: number of cells, times ``span``.
        fraction_bits: f; vector integers are values x 2^f. Form ``l1`` adds its own to the statistic's.
        lo: smallest integer one row adds (before bounding), at scale 2^f; a count adds 1.
        hi: largest.
        l2_sensitivity_squared: of form ``rows`` G·(R·A)², of ``total`` G·C², of ``l1`` C²; exact.
        rho_nano: charge, ceil(1e9·Δ²/(2σ²)).
        sigma: standard deviation of the noise in units of 2^-20.
        bins: of a histogram: bin b of cell c is at offset + c·span + b. A row adds 1 to one bin, so that one person
            moves a cell's bins by at most R in L2: Δ² = G·R² (privacy-rules.md section 1).
        branching: of a histogram that is released as a tree: after a cell's bins come the nodes of each higher level
            (``model.terms.tree_levels``), and a row adds 1 at each level: Δ² = levels·G·R².
        threshold: smallest noised integer that is released, for a thresholded release; 0 for any other. Its offset and
            length are 0, because how many cells it has is not known before data are read.
        delta_atto: what the threshold costs in delta, in 1e-18.
    """

    id: str
    kind: Literal["count", "count_distinct_person", "sum", "histogram"]
    statistic: int
    offset: int
    length: int
    fraction_bits: int
    lo: int
    hi: int
    bound: Bound
    l2_sensitivity_squared: int
    rho_nano: int
    sigma: int
    bins: Bins | None = None
    branching: int = 0
    threshold: int = 0
    delta_atto: int = 0

    @property
    def width(self) -> int:
        """Number of bins, 1 without."""
        return self.bins.count if self.bins is not None else 1

    @property
    def levels(self) -> tuple[int, ...]:
        """Nodes of each level of a cell's tree, the bins first; one level where there is no tree."""
        return tree_levels(self.width, self.branching)

    @property
    def span(self) -> int:
        """Vector places of one cell."""
        return sum(self.levels)

    @property
    def sigma_float(self) -> float:
        """Sigma in vector integers, exact as a double."""
        return self.sigma / SIGMA_UNIT

    def document(self) -> dict[str, Any]:
        """Canonical-JSON data."""
        limits = {"threshold": _big(self.threshold), "delta_atto": self.delta_atto} if self.threshold else {}
        return limits | {
            "id": self.id,
            "kind": self.kind,
            "statistic": self.statistic,
            "offset": self.offset,
            "length": self.length,
            "fraction_bits": self.fraction_bits,
            "lo": _big(self.lo),
            "hi": _big(self.hi),
            "bound": self.bound.document(),
            "l2_sensitivity_squared": _big(self.l2_sensitivity_squared),
            "rho_nano": self.rho_nano,
            "sigma": _big(self.sigma),
            "bins": None if self.bins is None else write_bins(self.bins),
            "branching": self.branching,
        }


@dataclass(frozen=True)
class PlanOutput:
    """One column of the release: a key, a block, or a function of them (``model.nodes.OUTPUT_FUNCTIONS``).

    ``read`` is data: ``{"key": axis}``, ``{"block": id}``, ``{"literal": value, "type": type}`` or
    ``{"call": name, "arguments": [...]}``.
    """

    name: str
    read: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """Canonical-JSON data."""
        return {"name": self.name, "read": self.read}


@dataclass(frozen=True)
class Plan:
    """What one query compiles to; two machines that agree on the model agree on these bytes."""

    axes: tuple[Axis, ...]
    blocks: tuple[Block, ...]
    outputs: tuple[PlanOutput, ...]

    @property
    def cells(self) -> int:
        """Cells of one block: the product over the axes (1 without keys)."""
        return math.prod(axis.cells for axis in self.axes)

    @property
    def length(self) -> int:
        """Length of the vector, in int64s; 0 for a thresholded release, which has pairs of key and integer instead."""
        return sum(block.length for block in self.blocks)

    @property
    def has_unknown_keys(self) -> bool:
        """Whether this is a thresholded release."""
        return any(axis.kind == "unknown" for axis in self.axes)

    @property
    def draws(self) -> int:
        """Most draws of noise that this plan can need, whatever the data hold."""
        return MAX_UNKNOWN_KEYS if self.has_unknown_keys else self.length

    @property
    def delta_atto(self) -> int:
        """What thresholds cost in delta, in 1e-18: the sum over the blocks."""
        return sum(block.delta_atto for block in self.blocks)

    @property
    def rho_nano(self) -> int:
        """The charge: the sum of the blocks' ceilings."""
        return sum(block.rho_nano for block in self.blocks)

    def block(self, block_id: str) -> Block:
        """The block with this id."""
        return next(block for block in self.blocks if block.id == block_id)

    def document(self) -> dict[str, Any]:
        """Canonical-JSON data: exactly what the plan hash covers."""
        return {
            "plan_format": PLAN_FORMAT,
            "selection_rule": SELECTION_RULE,
            "unit": UNIT,
            "axes": [axis.document() for axis in self.axes],
            "blocks": [block.document() for block in self.blocks],
            "outputs": [output.document() for output in self.outputs],
        }

    @cached_property
    def sha256(self) -> str:
        """Plan hash, hexadecimal."""
        return hashlib.sha256(canonical.encode(self.document())).hexdigest()


def _big(value: int) -> int | str:
    return value if abs(value) <= canonical.MAX_SAFE_INTEGER else str(value)

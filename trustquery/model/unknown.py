"""Keys without a public list of values: what is released by threshold, and how a key found in the data is written.

A thresholded release (privacy-rules.md section 4) has one such key and one statistic. Its cells are not known before
data are read, so a cell is named by a label, not by a position: a digit that says what it is, then the value as text.
Labels sort by their UTF-8 bytes, so values come first, then *other*, then *missing*.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from trustquery.catalogue.schema import ColumnType
from trustquery.model.nodes import MAX_INTEGER, Aggregate, Call, ColumnRef, Expression, Key, invalid

__all__ = [
    "CODE",
    "MAX_KEY_BYTES",
    "MAX_UNKNOWN_KEYS",
    "MISSING",
    "OTHER",
    "UNKNOWN_DELTA_ATTO",
    "check_label",
    "check_unknown",
    "label_of",
    "plain_column",
    "read_label",
]

UNKNOWN_DELTA_ATTO = 10**9
"""Delta of one thresholded release: 1e-9, in units of 1e-18."""
MAX_UNKNOWN_KEYS = 50_000
"""Most keys of one release. A trust with more gives no answer."""
MAX_KEY_BYTES = 64
"""Longest value with a cell of its own, UTF-8 bytes: longer ones are no codes, and count as *other*."""
CODE, OTHER, MISSING = "0", "1", "2"
"""First character of a label: a value, values that are no codes, no value."""


def check_unknown(keys: Sequence[Key], aggregates: Sequence[Aggregate], delta_atto: int) -> None:
    """Refuse a model that mixes thresholded and plain release.

    Raises:
        TrustQueryError: ``query-model-invalid``.
    """
    if all(key.kind != "unknown" for key in keys):
        if delta_atto != 0:
            raise invalid()
        return
    if len(keys) != 1 or len(aggregates) != 1 or aggregates[0].kind not in ("count", "count_distinct_person"):
        raise invalid()
    if not 1 <= delta_atto <= UNKNOWN_DELTA_ATTO or plain_column(keys[0].expression) is None:
        raise invalid()


def plain_column(node: Expression) -> ColumnRef | None:
    """The column of ``column`` or ``left(column, n)``, or None for anything else."""
    if isinstance(node, Call) and node.function == "left":
        node = node.arguments[0]
    return node if isinstance(node, ColumnRef) else None


def label_of(value: object) -> str:
    """The label of the cell that a row with this key belongs to; values that are no codes go to *other*."""
    if value is None:
        return MISSING
    if type(value) is int:
        return f"{CODE}{value}" if abs(value) <= MAX_INTEGER else OTHER
    if isinstance(value, str) and len(value.encode()) <= MAX_KEY_BYTES and "\0" not in value:
        return CODE + value
    return OTHER


def check_label(label: str) -> None:
    """Refuse text that names no cell.

    Raises:
        TrustQueryError: ``query-model-invalid``.
    """
    valid = label in (OTHER, MISSING) or (label[:1] == CODE and len(label.encode()) <= MAX_KEY_BYTES + 1)
    if not valid or "\0" in label:
        raise invalid()


def read_label(label: str, type_: ColumnType) -> tuple[Literal["value", "other", "missing"], int | str | None]:
    """What a label says, as ``KeyCell`` has it.

    Raises:
        TrustQueryError: ``query-model-invalid``: no label of a key of this type.
    """
    check_label(label)
    if label == OTHER:
        return "other", None
    if label == MISSING:
        return "missing", None
    text = label[1:]
    if type_ is not ColumnType.INTEGER:
        return "value", text
    try:
        number = int(text)
    except ValueError as error:
        raise invalid() from error
    if str(number) != text or abs(number) > MAX_INTEGER:
        raise invalid()
    return "value", number

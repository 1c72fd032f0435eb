"""How functions over columns of whole numbers are compiled, and the types that they share.

Compiled by numba for these types alone. No lock of the interpreter's is held, so that parts of the people can be
worked on side by side. Columns are only read: they may be a database's own memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

__all__ = ["NUMBER", "NUMBERS", "OUT", "READ", "READ_TWO", "TRUTH", "compiled"]

_F = TypeVar("_F", bound=Callable[..., Any])
NUMBER, TRUTH = numba.int64, numba.boolean
OUT = numba.int64[::1]
READ = numba.types.Array(numba.int64, 1, "C", readonly=True)
READ_TWO = numba.types.Array(numba.int64, 2, "C", readonly=True)
NUMBERS = numba.types.Array(numba.int32, 1, "C", readonly=True)
"""As the store keeps people and ranks."""


def compiled(*types: Any, result: Any = numba.void) -> Callable[[_F], _F]:
    """Compile for one signature when this module is imported, or read what an import before this one compiled."""
    found: Callable[[_F], _F] = numba.njit(result(*types), nogil=True, cache=True)
    return found

"""Privacy loss as people write it: rho with at most 9 decimals and delta with at most 18, exact, never a float."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from trustquery.policy.reading import decimal_text

__all__ = ["Delta", "Rho", "atto", "nano"]

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,6})(\.[0-9]{0,17}[1-9])?")


def _reader(places: int) -> Callable[[object], object]:
    def read(value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, Decimal) and value.is_finite():
            value = decimal_text(value)
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
            raise ValueError("a plain decimal number from 0 to 9999999 is needed, such as 0.05")
        if len(value.partition(".")[2]) > places:
            raise ValueError(f"at most {places} decimal places are kept")
        return Decimal(value)

    return read


_JSON_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "string", "pattern": f"^{_DECIMAL.pattern}$"}, {"type": "number", "minimum": 0}]}
)
_WRITTEN = PlainSerializer(decimal_text, return_type=str)
Rho = Annotated[Decimal, BeforeValidator(_reader(9)), _WRITTEN, Field(le=1_000_000), _JSON_SCHEMA]
Delta = Annotated[Decimal, BeforeValidator(_reader(18)), _WRITTEN, Field(le=1), _JSON_SCHEMA]


def nano(rho: Decimal) -> int:
    """Rho in units of 1e-9, exact."""
    return int(rho.scaleb(9))


def atto(delta: Decimal) -> int:
    """Delta in units of 1e-18, exact."""
    return int(delta.scaleb(18))

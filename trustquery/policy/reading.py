"""TOML that people write, read strictly: decimals stay exact, every fault is reported with its place.

Shared by policies and by the configuration of each process, so that a mistyped key meets the same words everywhere.
"""

from __future__ import annotations

import datetime
import json
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from trustquery.errors import Problem, TrustQueryError, nearest

__all__ = ["decimal_text", "faults", "parse_toml", "read_model"]

Model = TypeVar("Model", bound=BaseModel)
_MAX_BYTES = 1024 * 1024
MAX_DIGITS = 40


def decimal_text(value: Decimal) -> str:
    """The one spelling of a decimal number: no exponent, no trailing zeros, no plus sign."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def parse_toml(text: str, *, invalid: str, name: str, found: list[Problem] | None = None) -> dict[str, Any]:
    """TOML as JSON-like data; decimals become their one decimal string.

    Args:
        text: the whole file.
        invalid: code of the problem to raise; it has the single field ``problem``.
        name: what to call the file in an error.
        found: takes the problems of single values, so that others can be reported with them; such a value reads as
            None. Without it they are raised.

    Raises:
        TrustQueryError: ``invalid``: unreadable, too long; and NaN, infinity, or a date, where ``found`` is not given.
    """
    if len(text) > _MAX_BYTES:
        raise TrustQueryError(invalid, place=name, problem="it is longer than 1 MiB")
    try:
        problems: list[Problem] = []
        plain: dict[str, Any] = _plain(tomllib.loads(text, parse_float=Decimal), "", invalid, problems)
    except tomllib.TOMLDecodeError as error:
        raise TrustQueryError(invalid, place=name, problem=f"it is not TOML: {error}") from error
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise TrustQueryError(invalid, place=name, problem="its nesting or a number is too long") from error
    if found is None and problems:
        raise TrustQueryError.of(problems)
    if found is not None:
        found += problems
    return plain


def _plain(value: Any, place: str, invalid: str, found: list[Problem]) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item, f"{place}.{key}" if place else key, invalid, found) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, f"{place}[{number}]", invalid, found) for number, item in enumerate(value, 1)]
    wrong = ""
    if isinstance(value, Decimal):
        if not value.is_finite():
            wrong = "NaN and infinity are not numbers here"
        elif abs(value.adjusted()) > MAX_DIGITS:  # 1e999999999 has a gigabyte of zeros
            wrong = "the number is too large or too small"
        else:
            return decimal_text(value)
    elif isinstance(value, int) and abs(value) >= 2**63:
        wrong = "the number is too large"
    elif isinstance(value, datetime.date | datetime.time):
        wrong = "dates are not used here"
    if wrong:
        found.append(Problem(invalid, place[:200], {"problem": wrong}))
        return None
    return value


def read_model(model: type[Model], data: dict[str, Any], *, unknown: str, invalid: str, file: str = "") -> Model:
    """Validate data against a strict model.

    Args:
        file: what to call the file; then a problem's place begins with it and its words with the key. "" for neither.

    Raises:
        TrustQueryError: one problem a fault: ``unknown`` (fields ``key`` and ``nearest``) or ``invalid``.
    """
    try:
        # Through JSON text: pydantic's strict mode takes arrays for tuples only from there.
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        problems = faults(error, model, data, unknown=unknown, invalid=invalid, file=file)
        raise TrustQueryError.of(list(problems)) from error


def faults(
    error: ValidationError, model: type[BaseModel], data: object, *, unknown: str, invalid: str, file: str = ""
) -> Iterator[Problem]:
    """The problems in a validation error, in the order of the schema; none repeats a value.

    Args:
        data: what was read; it tells the keys of a place from the names that pydantic gives to alternatives.
    """
    for fault in error.errors(include_url=False, include_input=False):
        steps = _steps(fault["loc"], data)
        at = _place(steps)
        place = f"{file}: {at}" if file else at
        if fault["type"] == "extra_forbidden":
            names = _fields_at(model, steps[:-1])
            key = str(steps[-1])[:64]
            yield Problem(unknown, place, {"key": key, "nearest": nearest(key, names) or ", ".join(sorted(names))})
        else:
            words = "it is missing" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
            yield Problem(invalid, place, {"problem": f"{at}: {words}" if file else words})


def _steps(loc: tuple[int | str, ...], data: object) -> tuple[int | str, ...]:
    """A fault's place without the names of alternatives, which stand in no file."""
    found: list[int | str] = []
    for number, step in enumerate(loc, 1):
        if isinstance(data, dict) and isinstance(step, str):
            if step not in data and number < len(loc):
                continue
            found.append(step)
            data = data.get(step)
        elif isinstance(data, list | tuple) and isinstance(step, int) and step < len(data):
            found.append(step)
            data = data[step]
    return tuple(found)


def _place(steps: tuple[int | str, ...]) -> str:
    text = ""
    for step in steps:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text[:200]


def _fields_at(model: type[BaseModel], steps: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the nested model at ``steps``; those of the nearest model above when unclear."""
    for step in steps:
        field = model.model_fields.get(str(step)) if not isinstance(step, int) else None
        inner = next(_models(field.annotation), None) if field else None
        if inner is not None:
            model = inner
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)

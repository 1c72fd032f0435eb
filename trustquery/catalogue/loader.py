"""Catalogues from text: TOML that people can read, into the types of ``schema.py``.

The TOML layout is the schema's, with two comforts that keep one column on one line:

- ``[domains.NAME]`` lists a public domain once (``code = "label"``) and a column says ``domain = "NAME"``;
- dates are written as TOML dates.

Floating-point numbers are refused wherever they stand: a catalogue is hashed, and a float has more than one spelling.
"""

from __future__ import annotations

import datetime
import json
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Any

from pydantic import ValidationError

from trustquery.catalogue.schema import Catalogue
from trustquery.errors import TrustQueryError, nearest

__all__ = ["available", "load", "parse"]

_PACKAGE = "trustquery.catalogue"
_MARK = 'format = "trustquery-catalogue/1"'


def available() -> tuple[str, ...]:
    """Ids of the catalogues that ship with this package, sorted."""
    folder = resources.files(_PACKAGE) / "data"
    found = (item for item in folder.iterdir() if item.name.endswith(".toml"))
    return tuple(sorted(item.name.removesuffix(".toml") for item in found if _MARK in item.read_text(encoding="utf-8")))


@lru_cache(maxsize=16)
def load(id: str) -> Catalogue:
    """Read a shipped catalogue.

    Raises:
        TrustQueryError: ``config-catalogue-invalid`` when there is no such catalogue or it breaks a rule.
    """
    known = available()
    if id not in known:
        guess = nearest(id, known) or ", ".join(known)
        raise TrustQueryError(
            "config-catalogue-invalid",
            place="id",
            catalogue=id,
            problem=f"it does not ship here; did you mean {guess}?",
        )
    text = (resources.files(_PACKAGE) / "data" / f"{id}.toml").read_text(encoding="utf-8")
    catalogue = parse(text, name=id)
    if catalogue.id != id:
        raise TrustQueryError(
            "config-catalogue-invalid",
            place="id",
            catalogue=id,
            problem=f"its id is {catalogue.id}, not the file's name",
        )
    return catalogue


def parse(text: str, *, name: str) -> Catalogue:
    """Turn one catalogue's TOML text into a checked catalogue.

    Args:
        text: the whole file.
        name: what to call it in errors: a file name or catalogue id.

    Raises:
        TrustQueryError: ``config-catalogue-invalid``, one problem for every fault found, each with its place.
    """
    try:
        data: dict[str, Any] = tomllib.loads(text, parse_float=Decimal)
        faults = list(_plain(data, ""))
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise TrustQueryError("config-catalogue-invalid", place=name, catalogue=name, problem=str(error)) from error
    if not faults:
        faults = list(_expand_domains(data))
    if not faults:
        # Through JSON, because pydantic's strict mode takes lists for tuples and text for enums only from there.
        try:
            return Catalogue.model_validate_json(json.dumps(data))
        except ValidationError as error:
            faults = [
                (_place(data, item["loc"]), item["msg"].removeprefix("Value error, "))
                for item in error.errors(include_url=False)
                # A list is "too short" when its items failed, each of which says so itself.
                if item["type"] != "too_short" or item["input"] == []
            ]
    problems = [
        TrustQueryError(
            "config-catalogue-invalid", place=place[:200] or name, catalogue=name, problem=problem[:500]
        ).problem
        for place, problem in faults
    ]
    raise TrustQueryError.of(problems)


def _plain(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Write dates as text, in place, and yield every value that JSON or the hash could not hold."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        here = f"{place}.{key}" if place else str(key)
        if isinstance(item, (dict, list)):
            yield from _plain(item, here)
        elif isinstance(item, Decimal):
            yield here, f"{item} is a floating-point number; write a whole number"
        elif isinstance(item, int) and abs(item) >= 2**63:
            yield here, "the number is too large"
        elif isinstance(item, datetime.date) and not isinstance(item, datetime.datetime):
            value[key] = item.isoformat()
        elif not isinstance(item, (str, int)):
            yield here, "times are not used here; write a date"


def _expand_domains(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Replace each ``domain = "NAME"`` by the values of ``[domains.NAME]``; yield what is missing, unused or odd."""
    domains = data.pop("domains", {})
    if not isinstance(domains, dict):
        yield "domains", "write [domains.NAME] sections"
        return
    unused = set(domains)
    for table in data.get("tables", []) if isinstance(data.get("tables"), list) else []:
        for column in table.get("columns", []) if isinstance(table, dict) else []:
            wanted = column.get("domain") if isinstance(column, dict) else None
            if not isinstance(wanted, str):
                continue
            place = f"{table.get('name')}.{column.get('name')}"
            if not isinstance(domains.get(wanted), dict):
                yield place, f"there is no domain {wanted}; did you mean {nearest(wanted, domains)}?"
                continue
            unused.discard(wanted)
            try:
                column["domain"] = [
                    {"value": _value(code, column.get("type")), "label": label}
                    for code, label in domains[wanted].items()
                ]
            except ValueError:
                yield place, f"domain {wanted} has values that are not of type {column.get('type')}"
    for name in sorted(unused):
        yield f"domains.{name}", "no column uses this domain"


def _value(code: str, type_: object) -> int | str | bool:
    """A domain value in its column's type; TOML keys are always text."""
    if type_ == "integer":
        return int(code)
    if type_ == "boolean":
        return {"true": True, "false": False}[code] if code in ("true", "false") else _refuse()
    return code


def _refuse() -> bool:
    raise ValueError


def _place(data: Any, loc: tuple[int | str, ...]) -> str:
    """A place as people write it: table and column by name where they have one, not by position."""
    words: list[str] = []
    for step in loc:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            data = None
        named = data.get("name") if isinstance(data, dict) and isinstance(step, int) else None
        words.append(str(named or step))
    return ".".join(word for word in words if word not in ("tables", "columns"))

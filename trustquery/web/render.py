"""Templates to pages: every value escaped, every name that a template uses must be there."""

from __future__ import annotations

import datetime
import re
from functools import cache
from typing import Any

from jinja2 import ChainableUndefined, ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trustquery.web.files import address
from trustquery.web.forms import MARK

__all__ = ["day", "environment", "number"]

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def day(text: str) -> str:
    """A date as people write it, 6 August 2018; any other text as it is."""
    if not _ISO.fullmatch(text):
        return text
    try:
        found = datetime.date.fromisoformat(text)
    except ValueError:
        return text
    return f"{found.day} {found:%B %Y}"


def moment(seconds: int) -> str:
    """Seconds since 1970 UTC as people write it: 6 August 2018, 2:05pm (UTC)."""
    found = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    minutes = f":{found.minute:02d}" if found.minute else ""
    return f"{found.day} {found:%B %Y}, {found.hour % 12 or 12}{minutes}{'am' if found.hour < 12 else 'pm'} (UTC)"


def number(value: int | float) -> str:
    """With commas: 1,240."""
    return f"{value:,}"


@cache
def _kit() -> Environment:
    """The design system's own templates, which leave out what they are not given."""
    return Environment(loader=PackageLoader("nhsuk_frontend_jinja"), autoescape=True, undefined=ChainableUndefined)


def nhs(component: str, **params: Any) -> Markup:
    """Write a component of the design system.

    In a template: ``{{ nhs("tag", text="Approved") }}``.

    Args:
        component: as the design system's folder is called, ``summary-list``.
        params: as its documentation names them. ``html`` and ``…Html`` are written as they are: never with what
            somebody typed.
    """
    first, *rest = component.split("-")
    name = first + "".join(part.capitalize() for part in rest)
    module = _kit().get_template(f"nhsuk/components/{component}/macro.jinja").module
    made: Markup = getattr(module, name)(params)
    return made.strip()


def environment(*packages: str) -> Environment:
    """Templates of these packages, with the layout ``tq/base.html`` and the macros of ``tq/``."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, "trustquery.web")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"nhs": nhs, "static": address, "MARK": MARK}
    made.filters |= {"day": day, "moment": moment, "number": number}
    return made

"""Pages from templates: every value escaped, every name that a template uses must be there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from jinja2 import Environment

from trustquery.errors.catalogue import CATALOGUE
from trustquery.privacy.budget import epsilon_of
from trustquery.projects.register import iso_day, rho_text, said
from trustquery.web import Frame, environment

__all__ = ["percent", "render"]

_WORDS = {
    "accepted": "Accepted",
    "accepted-with-conditions": "Accepted, with conditions",
    "declined": "Declined",
    "answered": "Answered",
    "late": "Answered too late to count",
    "refused": "Refused",
    "no-answer": "Gave no answer",
}


def words(code: str | None) -> str:
    """What a trust said, in words."""
    return _WORDS.get(code or "", "Has not answered yet")


def meaning(code: str) -> str:
    """What a refusal's code means. What stands in its places is left out: it may name a person."""
    return re.sub(r"\{[a-z_]+\}", "…", CATALOGUE[code].text)


def percent(chance: Decimal) -> str:
    """A chance as a percentage, rounded as it came."""
    return f"{(chance * 100).normalize():f}%"


def estimate(cell: Mapping[str, Any]) -> str:
    """An estimate as a range of its noise: about 1,240, likely 1,210 to 1,270."""
    if "suppressed" in cell:
        return f"Suppressed: {cell['reason']}"
    value, low, high = cell["value"], cell["low"], cell["high"]
    if value is None:
        return "Too noisy to say"
    about = f"about {_figure(value)}"
    return about if low is None or high is None else f"{about}, likely {_figure(low)} to {_figure(high)}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


@cache
def _environment() -> Environment:
    made = environment("coordinator.web")
    made.filters |= {
        "words": words,
        "meaning": meaning,
        "percent": percent,
        "estimate": estimate,
        "said": said,
        "iso": iso_day,
        "rho": rho_text,
        "epsilon": epsilon_of,
    }
    return made


def render(template: str, frame: Frame, **values: Any) -> str:
    """One page."""
    return _environment().get_template(template).render(frame=frame, **values)

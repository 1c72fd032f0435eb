"""What a key of a policy means to people, and which way of changing it is the tighter one.

Each key of the schema carries one ``Means``. The comparison of two policies and the policy in words both walk the
schema by it, so no key can be left out of either: a test fails when a key has none.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

__all__ = ["Means", "Part", "Tighter", "every_field", "means_of", "part_of"]


class Tighter(enum.Enum):
    """The change of a key's value that can only refuse more, whatever the query."""

    LESS = "a smaller number"
    MORE = "a larger number"
    FEWER = "fewer entries"
    LONGER = "more entries"
    OFF = "from true to false"
    ON = "from false to true"
    PARTS = "each of its own keys, one by one"
    ENTRIES = "each entry by its name, one by one, or one entry fewer"
    COARSER = "a coarser date"
    LATER = "a later time of day"
    EARLIER = "an earlier time of day"
    NEVER = "none: any change counts as a loosening"
    SILENT = "none: it permits nothing and refuses nothing"


@dataclass(frozen=True)
class Means:
    """What one key says.

    Attributes:
        words: a phrase that can start a sentence, such as "Most cells of one query".
        tighter: which change is proved to be a tightening.
        unit: of a number, such as "rho".
        everything: the word that stands for every possible value, such as "any"; "" where there is none.
    """

    words: str
    tighter: Tighter
    unit: str = ""
    everything: str = ""


class Part(BaseModel):
    """Base of every part of a policy: no unknown key, no other type, no change once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def means_of(model: type[BaseModel], name: str) -> Means | None:
    """The meaning declared for a key, or None."""
    return next((item for item in model.model_fields[name].metadata if isinstance(item, Means)), None)


def part_of(annotation: Any) -> type[BaseModel] | None:
    """The nested model of a key: its own, or that of its entries; None where there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) is typing.Literal:
        return None
    return next((found for part in get_args(annotation) if (found := part_of(part)) is not None), None)


def every_field(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, type[BaseModel], str]]:
    """Each key of a schema, parents first: its place, the model that has it, and its name."""
    for name, field in model.model_fields.items():
        here = f"{place}.{name}" if place else name
        yield here, model, name
        inner = part_of(field.annotation)
        if inner is not None:
            yield from every_field(inner, here)

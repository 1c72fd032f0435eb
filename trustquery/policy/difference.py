"""What one policy refuses that another allowed, in plain English, and whether it only tightens.

Every rule of the evaluator is monotone in each key: a key that moves in its declared direction (``meaning.Means``) can
only make more rules object, and a lower cap can only refuse more. So a change whose every part is such a move is a
tightening. Whatever is not proved to be one is a loosening.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from trustquery.policy.asking import GRAINS
from trustquery.policy.meaning import Means, Tighter, means_of
from trustquery.policy.reading import decimal_text
from trustquery.policy.schema import Policy

__all__ = ["Change", "Difference", "compare"]


@dataclass(frozen=True)
class Change:
    """One change of a policy.

    Attributes:
        place: the key, such as ``queries.max_rho``.
        sentence: plain English, from both policies alone.
    """

    place: str
    sentence: str

    def document(self) -> dict[str, str]:
        """The change as JSON data."""
        return {"place": self.place, "sentence": self.sentence}


@dataclass(frozen=True)
class Difference:
    """What changes between two policies.

    Attributes:
        tightened: changes that can only refuse more.
        loosened: every other change.
        other: changes that permit nothing and refuse nothing, such as the version.
    """

    tightened: tuple[Change, ...]
    loosened: tuple[Change, ...]
    other: tuple[Change, ...] = ()

    @property
    def is_tightening(self) -> bool:
        """True only when every change is proved a tightening; two equal policies are one."""
        return not self.loosened

    def document(self) -> dict[str, Any]:
        """The difference as JSON data."""
        return {
            "is_tightening": self.is_tightening,
            "loosened": [change.document() for change in self.loosened],
            "tightened": [change.document() for change in self.tightened],
            "other": [change.document() for change in self.other],
        }


Found = Iterator[tuple[Tighter | None, Change]]
"""Changes, each with the direction that it proves: its key's own for a tightening, None for a loosening."""


def compare(old: Policy | None, new: Policy) -> Difference:
    """Compare two policies. ``old`` None: there was none, and everything was refused."""
    if old is None:
        allowed = Change("", "There was no policy, so everything was refused. This policy allows what it lists.")
        return Difference((), (allowed,))
    found = list(_parts(old, new, ""))
    return Difference(
        tuple(change for proof, change in found if proof not in (None, Tighter.SILENT)),
        tuple(change for proof, change in found if proof is None),
        tuple(change for proof, change in found if proof is Tighter.SILENT),
    )


def _parts(old: BaseModel, new: BaseModel, place: str) -> Found:
    for name in type(new).model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            here = f"{place}.{name}" if place else name
            means = means_of(type(new), name)
            yield from _change(here, means, before, after)


def _change(place: str, means: Means | None, old: Any, new: Any) -> Found:
    if means is None or means.tighter is Tighter.NEVER:
        words = means.words if means is not None else place
        yield None, Change(place, f"{words}: changes from {say(old)} to {say(new)}.")
    elif means.tighter is Tighter.PARTS and isinstance(old, BaseModel) and type(old) is type(new):
        yield from _parts(old, new, place)
    elif means.everything and means.tighter is Tighter.PARTS and old == means.everything:
        yield means.tighter, Change(place, f"{means.words}: {say(old)} becomes {say(new)}.")
    elif means.tighter is Tighter.ENTRIES and isinstance(old, tuple) and isinstance(new, tuple):
        yield from _entries(place, means, old, new)
    elif means.tighter in (Tighter.FEWER, Tighter.LONGER):
        yield from _lists(place, means, old, new)
    else:
        proof = means.tighter if _PROOFS.get(means.tighter, _unproved)(old, new) else None
        unit = f"{means.unit} " if means.unit and old is not None and new is not None else ""
        yield proof, Change(place, f"{means.words}: {unit}{say(old)} becomes {unit}{say(new)}.")


def _unproved(old: Any, new: Any) -> bool:
    return False


def _number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


_PROOFS: Mapping[Tighter, Callable[[Any, Any], bool]] = {
    Tighter.LESS: lambda old, new: _number(old) and _number(new) and new < old,
    Tighter.MORE: lambda old, new: _number(old) and _number(new) and new > old,
    Tighter.OFF: lambda old, new: old is True and new is False,
    Tighter.ON: lambda old, new: old is False and new is True,
    Tighter.COARSER: lambda old, new: old in GRAINS and new in GRAINS and GRAINS.index(new) < GRAINS.index(old),
    Tighter.LATER: lambda old, new: isinstance(old, str) and isinstance(new, str) and new > old,
    Tighter.EARLIER: lambda old, new: isinstance(old, str) and isinstance(new, str) and new < old,
    Tighter.SILENT: lambda old, new: True,
}


def _lists(place: str, means: Means, old: Any, new: Any) -> Found:
    """A list of what is allowed (FEWER) or refused (LONGER); one word may stand for everything there is."""
    allows = means.tighter is Tighter.FEWER
    if not all(isinstance(value, tuple) or value == means.everything for value in (old, new)):
        yield None, Change(place, f"{means.words}: changes from {say(old)} to {say(new)}.")
        return
    if isinstance(old, str) or isinstance(new, str):
        narrower = isinstance(old, str)
        proof = means.tighter if narrower is allows else None
        yield proof, Change(place, f"{means.words}: {say(old)} becomes {say(new)}.")
        return
    gone = [item for item in old if item not in new]
    come = [item for item in new if item not in old]
    if gone:
        verb = "no longer allowed" if allows else "no longer refused"
        yield (means.tighter if allows else None), Change(place, f"{means.words}: {verb}: {say(tuple(gone))}.")
    if come:
        verb = "now allowed" if allows else "now refused"
        yield (None if allows else means.tighter), Change(place, f"{means.words}: {verb}: {say(tuple(come))}.")
    if not gone and not come:
        yield Tighter.SILENT, Change(place, f"{means.words}: the same entries, written in another way.")


def _entries(place: str, means: Means, old: tuple[Any, ...], new: tuple[Any, ...]) -> Found:
    """Entries with a name of their own: what is gone is refused, what is new is allowed, the rest key by key."""
    before, after = {_name(item): item for item in old}, {_name(item): item for item in new}
    for name, item in before.items():
        if name not in after:
            yield _removed(f"{place}[{name}]", means, item, after.values())
    for name, item in after.items():
        if name in before:
            yield from _parts(before[name], item, f"{place}[{name}]")
        else:
            yield None, Change(f"{place}[{name}]", f"{means.words}: {name} is now allowed, as it is written there.")
    if list(before) != list(after) and set(before) == set(after):
        yield Tighter.SILENT, Change(place, f"{means.words}: the same entries, in another order.")


def _removed(place: str, means: Means, gone: Any, left: Any) -> tuple[Tighter | None, Change]:
    """An entry that is gone. Datasets of one source share the strictest cap, so with one its cap goes too."""
    own = getattr(gone, "budget", None)
    for item in left:
        kept = getattr(item, "budget", None)
        if isinstance(own, BaseModel) and isinstance(kept, BaseModel):
            widened = [change for proof, change in _parts(own, kept, place) if proof is None]
            if widened:
                words = (
                    f"{means.words}: {_name(gone)} is no longer allowed; but where {_name(item)} shares its source, "
                    "its stricter caps held for both, and they go with it."
                )
                return None, Change(place, words)
    return means.tighter, Change(place, f"{means.words}: {_name(gone)} is no longer allowed.")


def _name(item: Any) -> str:
    return str(next(iter(item.model_dump().values())))


def say(value: Any) -> str:
    """A value of a policy in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "nothing"
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, BaseModel):
        return "; ".join(f"{name} {say(getattr(value, name))}" for name in type(value).model_fields)
    if isinstance(value, tuple):
        return ", ".join(say(item) for item in value) or "none"
    return str(value)

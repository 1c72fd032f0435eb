"""A policy in plain English, for a Caldicott guardian: every key of it, none left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from trustquery.policy.difference import say
from trustquery.policy.meaning import Means, means_of
from trustquery.policy.promised import in_words
from trustquery.policy.schema import Policy

__all__ = ["render"]

_INTRODUCTION = """\
What is not listed here is refused. What is listed under "What is always refused" is refused even where something else
allows it. A rule that cannot be evaluated refuses. Every answer is noised; rho measures how much all answers together
can tell of one patient, and delta the chance of telling more. When a cap is reached, no more is answered.
"""


def render(policy: Policy) -> str:
    """The policy as Markdown."""
    lines = [f"# What {policy.trust} answers: policy version {policy.version}", "", _INTRODUCTION, "## The promise", ""]
    lines += [f"- {sentence[0].upper()}{sentence[1:]}." for sentence in in_words(policy)]
    simple = [name for name in type(policy).model_fields if not _has_parts(getattr(policy, name))]
    lines += ["", "## The document", ""]
    lines += [_line(_means(policy, name), getattr(policy, name), 0) for name in simple]
    for name in type(policy).model_fields:
        if name not in simple:
            lines += ["", f"## {_means(policy, name).words}", ""]
            lines += _part(getattr(policy, name), 0)
    return "\n".join(lines) + "\n"


def _has_parts(value: Any) -> bool:
    return isinstance(value, BaseModel) or (isinstance(value, tuple) and any(isinstance(v, BaseModel) for v in value))


def _means(part: BaseModel, name: str) -> Means:
    found = means_of(type(part), name)
    if found is None:
        raise LookupError(f"the key {name} says nothing about itself")
    return found


def _part(value: Any, depth: int, skip: str = "") -> Iterator[str]:
    """The keys of a part, or of each entry of a list of parts below its name."""
    if isinstance(value, BaseModel):
        for name in (name for name in type(value).model_fields if name != skip):
            inner, means = getattr(value, name), _means(value, name)
            if _has_parts(inner):
                yield f"{'  ' * depth}- **{means.words}**:"
                yield from _part(inner, depth + 1)
            else:
                yield _line(means, inner, depth)
    else:
        for item in value:
            first = next(iter(type(item).model_fields))
            yield _line(_means(item, first), getattr(item, first), depth)
            yield from _part(item, depth + 1, skip=first)


def _line(means: Means, value: Any, depth: int) -> str:
    said = say(value)
    if means.unit and value is not None:
        said = f"{means.unit} {said}"
    elif isinstance(value, int) and not isinstance(value, bool):
        said = f"{value:,}"
    return f"{'  ' * depth}- **{means.words}**: {said}."

"""Which documents and marks changed in a month: by their own dates where they have any, else by the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from node_agent.budget.history import Happened
from node_agent.reports.evidence import Evidence, Span
from node_agent.reports.words import loss

__all__ = ["KINDS", "Change", "changes_of"]

DAY = 86_400
_MARKS = {
    "paused": "Answering was paused.",
    "stopped": "Answering was stopped.",
    "resumed": "Answering was resumed, by two people's order.",
}
_DATED = frozenset({"permit", "acceptance", "declined"})
"""Kinds that are told by the documents kept here, which have dates of their own, wherever they are."""
_WORDS = {
    "policy": "A policy ({about}) came into force.",
    "governance": "A list of governance people ({about}) came into force.",
    "roster": "A roster of the federation ({about}) was seen for the first time.",
    "root": "A new root of the federation ({about}) took the place of the one before.",
    "permit": "A permit ({about}) was used for the first time.",
    "acceptance": "An acceptance ({about}) was used for the first time.",
    "declined": "An acceptance ({about}) was declined.",
    "lodged": "A change ({about}) was lodged, to take effect 24 hours later.",
    "withdrawn": "A change that waited ({about}) was withdrawn.",
}
KINDS = frozenset({*_WORDS, *_MARKS})
"""Kinds of ledger entries that the report tells."""


@dataclass(frozen=True)
class Change:
    """A document or a mark that changed; days since 1970 UTC, the same where the day is known."""

    first: int
    last: int
    text: str


def changes_of(found: Evidence, span: Span) -> tuple[Change, ...]:
    """Everything that changed, or may have changed, in the month; by its last possible day."""
    told = [item for item in _told_by_documents(found) if span.first <= item.last <= span.last]
    hashes = {sha256 for known in found.known.values() for sha256 in _hashes(found, known.permit.project)}
    told += [_entered(found, item) for item in found.changes if item.kind not in _DATED or item.about not in hashes]
    return tuple(sorted(told, key=lambda item: (item.last, item.first, item.text)))


def _hashes(found: Evidence, project: str) -> Iterator[str]:
    known = found.known[project]
    yield known.permit.sha256
    if known.acceptance is not None:
        yield known.acceptance.sha256


def _told_by_documents(found: Evidence) -> Iterator[Change]:
    for project, known in found.known.items():
        begins = known.permit.valid_from // DAY
        yield Change(begins, begins, f"Permit version {known.permit.version} of project {project} began.")
        if known.acceptance is not None:
            day, conditions = known.acceptance.accepted // DAY, len(known.acceptance.conditions)
            with_ = f", with {conditions} condition{'s' if conditions > 1 else ''}" if conditions else ""
            yield Change(day, day, f"Project {project} was accepted, at most {loss(known.acceptance.rho_nano)}{with_}.")
        if known.stance is not None and known.stance.word == "declined":
            day = known.stance.said // DAY
            yield Change(day, day, f"Project {project} was declined: {known.stance.reason}")


def _entered(found: Evidence, item: Happened) -> Change:
    first = max(item.first, 0)
    if item.kind in _MARKS:
        return Change(first, item.last, _MARKS[item.kind])
    kind, version = found.versions.get(item.about, ("", 0))
    if item.kind in ("policy", "governance") and version:
        what = "Policy" if kind == "policy" else "List of governance people"
        return Change(first, item.last, f"{what} version {version} came into force.")
    _, name = found.names.get(item.about, ("", ""))
    about = f"project {name}" if name and item.kind in _DATED else f"hash {item.about[:12]}"
    return Change(first, item.last, _WORDS[item.kind].format(about=about))

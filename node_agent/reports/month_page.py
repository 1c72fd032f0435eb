"""A month's report as rows for programs and as a page for a board."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterable, Iterator
from typing import Any

from node_agent.reports.month import Early, Left, Month, Part, Question
from node_agent.reports.words import OPT_OUTS, bullets, day_of, days, epsilon, loss, named, plain, rho, table

__all__ = ["COLUMNS", "document", "page", "rows", "sheet", "summary"]

DAY = 86_400
COLUMNS = {
    "date": "Date",
    "project": "Project",
    "title": "Title",
    "purpose": "Purpose",
    "person": "Asked by",
    "organisation": "Organisation",
    "dataset": "Dataset",
    "opt_outs": "Opt-outs",
    "outcome": "Outcome",
    "reasons": "Reason",
    "rho": "Rho",
    "epsilon": "Epsilon",
    "query_hash": "Query",
}
NOT_LEFT = (
    "What did not leave: no patient's record, identifier, date or free text, and no exact count or sum. Each figure "
    "that left is an aggregate over patients, with random noise that was added at this trust before it left."
)


def _date(day: int) -> str:
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=day)).isoformat()


def rows(month: Month) -> list[dict[str, Any]]:
    """One row for each question, by day, with every field of ``COLUMNS`` and more."""
    known = {part.project: part.known for part in month.parts}
    return [_row(item, known[item.project]) for item in month.questions]


def _row(item: Question, known: Any) -> dict[str, Any]:
    return {
        "date": _date(item.day),
        "project": item.project,
        "title": known.permit.title if known is not None else "",
        "purpose": known.permit.purpose if known is not None else "",
        "person": item.name or item.person,
        "organisation": item.organisation,
        "dataset": item.dataset,
        "opt_outs": item.opt_outs,
        "outcome": item.outcome,
        "reasons": " ".join(item.reasons),
        "rho": rho(item.rho_nano),
        "epsilon": epsilon(item.rho_nano),
        "query_hash": item.query_hash[:12],
        "release_id": item.release_id,
        "query_sha256": item.query_hash,
        "rho_nano": item.rho_nano,
        "project_rho_nano": item.project_rho_nano,
        "delta_atto": item.delta_atto,
    }


def sheet(month: Month) -> str:
    """The rows as CSV for a spreadsheet: no cell of it can be a formula."""
    text = io.StringIO()
    found = rows(month)
    fields = [*COLUMNS, "release_id", "query_sha256", "rho_nano", "project_rho_nano", "delta_atto"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows([[_cell(row[name]) for name in fields] for row in found])
    return text.getvalue().rstrip("\n")


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def document(month: Month) -> dict[str, Any]:
    """The whole report as JSON data."""
    return {
        "month": month.span.name,
        "whole": month.span.whole,
        "trust": month.trust,
        "node": month.node,
        "federation": month.federation,
        "projects": [_project(part) for part in month.parts],
        "questions": rows(month),
        "refused_before_policy": [
            {"first": _date(item.first) if item.first else None, "last": _date(item.last), "codes": list(item.codes)}
            for item in month.early
        ],
        "changes": [
            {"first": _date(item.first) if item.first else None, "last": _date(item.last), "text": item.text}
            for item in month.changes
        ],
        "caps": _caps(month.left),
        "rho_nano": month.rho_nano,
        "epsilon": epsilon(month.rho_nano),
        "did_not_leave": NOT_LEFT,
        "notes": list(month.notes),
    }


def _project(part: Part) -> dict[str, Any]:
    permit = part.known.permit if part.known is not None else None
    return {
        "project": part.project,
        "title": permit.title if permit is not None else "",
        "purpose": permit.purpose if permit is not None else "",
        "released": part.count("released", "released again"),
        "refused": part.count("refused"),
        "without_answer": part.count("no answer", "held back", "not run"),
        "under_way": part.count("under way"),
        "people": list(part.people),
        "opt_outs": list(part.opt_outs),
        "rho_nano": part.rho_nano,
        "epsilon": epsilon(part.rho_nano),
        "caps": _caps(part.left),
    }


def _caps(lines: Iterable[Left]) -> list[dict[str, Any]]:
    return [
        {
            "what": item.what,
            "period": item.period,
            "cap_rho_nano": item.cap_nano,
            "spent_rho_nano": item.spent_nano,
            "left_percent": str(item.share),
        }
        for item in lines
    ]


def summary(month: Month) -> list[str]:
    """A few lines for whoever runs the command."""
    released = sum(item.left for item in month.questions)
    refused = sum(item.outcome == "refused" for item in month.questions) + len(month.early)
    lines = [f"{month.trust}, {month.span.name}: {released} released, {refused} refused, {loss(month.rho_nano)}"]
    for part in month.parts:
        left = "; ".join(f"{item.share} % of its {item.period} cap left" for item in part.left)
        counts = f"{part.count('released', 'released again')} released, {part.count('refused')} refused"
        lines.append(f"  {part.project}: {counts}" + (f"; {left}" if left else ""))
    return [*lines, *(f"note: {note}" for note in month.notes), NOT_LEFT]


# -- the page ----------------------------------------------------------------------------------------------------------


def page(month: Month) -> str:
    """The report in Markdown, to be put before a board."""
    begins, ends = day_of(month.span.first * DAY), day_of(month.span.last * DAY)
    released = sum(item.left for item in month.questions)
    refused = sum(item.outcome == "refused" for item in month.questions)
    lines = [
        f"# What left {plain(month.trust)}: {begins} to {ends}",
        "",
        (
            f"Node {plain(month.node)} in the federation {plain(month.federation)}. {_many(released, 'answer')} left "
            f"the trust, {_many(refused, 'question')} {'was' if refused == 1 else 'were'} refused by policy or after "
            f"it, and {len(month.early)} before. Together they cost our patients {loss(month.rho_nano)}."
        ),
        "",
        NOT_LEFT,
        "",
    ]
    for part in month.parts:
        lines += _part(part)
    if not month.parts:
        lines += ["No project asked anything that reached the policy.", ""]
    lines += ["## Privacy budget", "", *_budget(month.left, "No policy is in force.")]
    lines += ["## Refused before the policy was asked", "", *_refused_early(month.early)]
    lines += ["## Documents and marks that changed", ""]
    lines += bullets(f"{days(item.first, item.last)}: {plain(item.text)}" for item in month.changes) or []
    if not month.changes:
        lines[-1:] = ["None.", ""]
    lines += ["## What this report does not know", ""]
    lines += bullets(plain(note) for note in month.notes) if month.notes else ["Nothing is missing.", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _part(part: Part) -> Iterator[str]:
    permit = part.known.permit if part.known is not None else None
    yield from (f"## {plain(permit.title if permit is not None else part.project)}", "")
    facts = [f"Project: {plain(part.project)}"]
    if permit is not None:
        facts += [f"Purpose: {named(permit.purpose)}", f"In plain words: {plain(permit.lay_summary)}"]
    facts.append("Asked by: " + "; ".join(map(plain, part.people)))
    facts.append("Opt-outs: " + "; ".join(OPT_OUTS.get(word, plain(word)) for word in part.opt_outs))
    facts.append(f"Cost to our patients this month: {loss(part.rho_nano)}")
    yield from bullets(facts)
    if part.known is None:
        yield from ("The permit of this project is not kept here any more.", "")
    headings = ("Date", "Asked by", "Dataset", "Outcome", "Reason", "Rho", "Epsilon at delta 1e-8")
    yield from table(headings, ([*_cells(item)] for item in part.questions))
    yield from _budget(part.left, "The trust has not accepted this project's permit, so it has no caps here.")


def _cells(item: Question) -> Iterator[str]:
    yield _date(item.day)
    yield plain(item.name or item.person)
    yield plain(item.dataset)
    yield item.outcome
    yield plain(", ".join(item.reasons))
    yield rho(item.rho_nano)
    yield epsilon(item.rho_nano)


def _budget(lines: tuple[Left, ...], otherwise: str) -> list[str]:
    if not lines:
        return [otherwise, ""]
    return table(
        ("Cap on", "Over", "Cap in rho", "Spent", "Left"),
        ([plain(x.what), x.period, rho(x.cap_nano), rho(x.spent_nano), f"{x.share} %"] for x in lines),
    )


def _refused_early(early: tuple[Early, ...]) -> list[str]:
    if not early:
        return ["None.", ""]
    return bullets(f"{days(x.first, x.last)}: {', '.join(map(plain, x.codes)) or 'reason not kept'}" for x in early)

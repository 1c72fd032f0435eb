"""What people see of a query: plan, cost, result."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trustquery.cli.numbers import SUPPRESSED, combined_text, estimate_text, number_text, share_text
from trustquery.cli.output import Format, data, data_json, say
from trustquery.cli.tables import stdout_console
from trustquery.question.result import moment

if TYPE_CHECKING:
    from trustquery.client.query import Query
    from trustquery.forecast.error import OutputForecast
    from trustquery.forecast.explain import Cost, Explanation
    from trustquery.outputs import Table
    from trustquery.question.preview import TrustPreview
    from trustquery.question.result import Result

__all__ = [
    "cost_document",
    "moment",
    "review_words",
    "show_cost",
    "show_plan",
    "show_result",
    "show_review",
    "show_table",
]


def show_plan(query: Query) -> None:
    """The plan in words and the expected error, noise and cut-off apart."""
    found = query.explain()
    for sentence in found.words:
        say(f"- {sentence}")
    told = found.forecast
    if told.outputs:
        say("Expected in a typical cell of the merged table (95 %, noise only; what bounds cut off stands beside it):")
    for output in told.outputs:
        say(f"  {output.name}: {_expected(output)}{_cut_off(output.cut_off)}")
    say("Statistics released, and what one person can add to each:")
    for part in told.statistics:
        share = part.rho_nano / max(found.cost.rho_nano, 1)
        say(
            f"  {part.block} {part.what}: ±{number_text(part.half_width)} in a cell; {part.bound}; "
            f"moved by at most {number_text(part.sensitivity)}; {share:.0%} of the budget{_cut_off(part.cut_off)}"
        )
    say(_whence(query, found))


def show_review(query: Query) -> None:
    """Whether output checkers look at the result first, and for how long; nothing where they do not."""
    seconds = query.project.review_seconds(query.model.sha256)
    if seconds is not None:
        say(review_words(seconds))


def review_words(seconds: int) -> str:
    """That a project's results are reviewed, and how long that takes."""
    if not seconds:
        return "Results of this project are reviewed, and the federation sets no time for it: nothing can be asked."
    return (
        f"Two output checkers look at the merged result first. You see it {_duration(seconds)} after the question's "
        "deadline (--wait), or not at all; what it costs is charged either way."
    )


def _duration(seconds: int) -> str:
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % size == 0:
            return f"{seconds // size} {word}{'s' if seconds != size else ''}"
    return f"{seconds} seconds"


def _expected(output: OutputForecast) -> str:
    if output.rank:
        return f"the value at a rank that is off by up to {output.half_width:.1%} of the rows"
    return (
        f"about ±{number_text(output.half_width)}, {_percent(output.relative)} of about {number_text(output.expected)}"
    )


def _percent(share: float) -> str:
    return f"{share:.2%}" if share < 0.1 else f"{share:.0%}" if share < 10 else "more than 1,000%"


def _cut_off(share: float | None) -> str:
    return "" if share is None else f"; bounds cut off about {_percent(share)}"


def _whence(query: Query, found: Explanation) -> str:
    if found.chosen:
        return "Bounds were chosen from released profiles, to make noise and cut-off together smallest."
    if all(part.cut_off == 0 for part in found.forecast.statistics):
        return "Nobody has more rows here than the bounds keep, so that nothing is cut off."
    if found.forecast.profiled:
        return "Bounds are yours; what they cut off is estimated from released profiles."
    return (
        "No profile tells how many rows people have, so bounds are the catalogue's or yours, sizes are declared ones, "
        f"and what is cut off is not known. next: tq profile list {query.catalogue.id}"
    )


def _cost_words(cost: Cost) -> str:
    more = f", and a delta of {cost.delta_atto / 1e18:.0e} more for keys found in the data" if cost.delta_atto else ""
    return (
        f"rho {cost.rho_nano / 1e9:.6f}, which is epsilon {cost.epsilon} for a person at one trust and "
        f"{cost.epsilon_federation} at up to {cost.max_trusts} (delta {cost.delta:.0e}){more}"
    )


def show_cost(query: Query, found: Sequence[TrustPreview]) -> None:
    """What it would cost, who would answer and what would be left."""
    say(f"Cost at each trust: {_cost_words(query.cost)}.")
    verdicts: dict[str, list[str]] = {}
    for trust in found:
        verdicts.setdefault(_verdict(trust), []).append(trust.node)
    for verdict, nodes in verdicts.items():
        say(f"  {', '.join(nodes)}: {verdict}")


def _verdict(trust: TrustPreview) -> str:
    if trust.accepted is None:
        return "gives no reply" if trust.connected else "is not connected"
    if not trust.accepted:
        return "\n    ".join(
            ["would refuse", *(f"{reason.code}: {reason.reason} (fix: {reason.fix})" for reason in trust.reasons)]
        )
    taken = f", taking {_left_words(trust.cost, up=True)} of what there was" if trust.cost else ""
    held = trust.review_seconds // 60
    looked = f", {held:,} minutes after it is asked, when people there have looked at it" if held else ""
    return "would answer" + looked + taken + (f"; left afterwards: {_left_words(trust.left)}" if trust.left else "")


def _left_words(left: Mapping[str, float], *, up: bool = False) -> str:
    return ", ".join(f"{scope} {share_text(share, up=up)}" for scope, share in sorted(left.items()))


def cost_document(query: Query, found: Sequence[TrustPreview]) -> dict[str, Any]:
    """The same as JSON data."""
    found_out = query.explain()
    cost, told = found_out.cost, found_out.forecast
    return {
        "format": "tq-cost-2",
        "rho_nano": cost.rho_nano,
        "epsilon": str(cost.epsilon),
        "epsilon_federation": str(cost.epsilon_federation),
        "max_trusts": cost.max_trusts,
        "delta": str(cost.delta),
        "delta_atto": cost.delta_atto,
        "cells": found_out.cells,
        "plan": list(found_out.words),
        "bounds_from_profiles": found_out.chosen,
        "outputs": [dataclasses.asdict(item) for item in told.outputs],
        "statistics": [dataclasses.asdict(item) for item in told.statistics],
        "trusts": [
            {
                "node": trust.node,
                "connected": trust.connected,
                "accepted": trust.accepted,
                "reasons": [reason.document() for reason in trust.reasons],
                "left": dict(trust.left),
                "cost": dict(trust.cost),
            }
            for trust in found
        ],
    }


def show_result(result: Result, form: Format) -> None:
    """The table on stdout; who answered, what it cost and what is left on stderr."""
    if form is Format.JSON:
        data_json(_document(result))
    elif form is Format.TABLE:
        show_table(result.table)
    else:
        flat = result.table.flat_columns(SUPPRESSED)
        rows = [dict(zip(flat, values, strict=True)) for values in zip(*flat.values(), strict=True)]
        if form is Format.JSONL:
            for row in rows:
                data(json.dumps(row, ensure_ascii=False))
        else:
            text = io.StringIO()
            writer = csv.DictWriter(text, list(flat), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            data(text.getvalue().rstrip("\n"))
    _footer(result)


def show_table(table: Table) -> None:
    """Keys, estimates and intervals on stdout."""
    from rich.table import Table as Grid

    from trustquery.outputs import Estimate, KeyCell

    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for column in table.columns:
        if column.kind == "key":
            grid.add_column(column.name, overflow="fold")
        else:
            grid.add_column(column.name, justify="right", no_wrap=True)
            grid.add_column("95 % interval", justify="right", no_wrap=True)
            if column.rate:
                grid.add_column("95 %, with sampling", justify="right", no_wrap=True)
    for row in table.rows:
        cells: list[str] = []
        for cell, column in zip(row, table.columns, strict=True):
            if isinstance(cell, KeyCell):
                cells.append(f"{cell.text} {cell.label}" if cell.label and cell.label != cell.text else cell.text)
            elif isinstance(cell, Estimate):
                cells += [*estimate_text(cell), *([combined_text(cell)] if column.rate else [])]
        grid.add_row(*cells)
    stdout_console().print(grid)


def _footer(result: Result) -> None:
    from trustquery.outputs import Estimate
    from trustquery.outputs.profiles import REASONS

    say()
    named = [trust.node for trust in result.trusts if trust.answered]
    say(f"{result.answered} of {len(result.trusts)} trusts answered: {', '.join(named)}.")
    for trust in result.trusts:
        if not trust.answered:
            why = "; ".join(reason.reason for reason in trust.reasons) or "no answer"
            say(f"  missing: {trust.node} {trust.name}: {why}")
    charged = sorted({trust.rho_nano for trust in result.trusts if trust.answered})
    if charged == [result.cost.rho_nano]:
        say(f"Charged at each of them: {_cost_words(result.cost)}.")
    else:
        rho = ", ".join(f"{trust.node} {trust.rho_nano / 1e9:.6f}" for trust in result.trusts if trust.rho_nano)
        say(f"Charged: rho {rho or '0'}. At most: {_cost_words(result.cost)}.")
    lefts: dict[str, list[str]] = {}
    for node, left in sorted(result.shares.items()):
        if left and node in named:
            lefts.setdefault(_left_words(left), []).append(node)
    for words, nodes in lefts.items():
        say(f"Left at {', '.join(nodes)}: {words}.")
    for code in sorted({cell.suppressed for row in result.table.rows for cell in row if isinstance(cell, Estimate)}):
        if code:
            say(f"Suppressed, {code}: {REASONS[code]}.")
    for note in result.notes:
        say(note)
    say(f"query {result.query_id[:12]}; again: tq query result {result.query_id[:12]}")


def _document(result: Result) -> dict[str, Any]:
    return {
        "format": "tq-result-1",
        "query": result.query_id,
        "table": result.table.document(),
        "trusts": [
            {
                "node": trust.node,
                "name": trust.name,
                "answered": trust.answered,
                "rho_nano": trust.rho_nano,
                "reasons": [reason.document() for reason in trust.reasons],
            }
            for trust in result.trusts
        ],
        "cost": {
            "rho_nano": result.cost.rho_nano,
            "epsilon": str(result.cost.epsilon),
            "epsilon_federation": str(result.cost.epsilon_federation),
            "max_trusts": result.cost.max_trusts,
            "delta": str(result.cost.delta),
            "delta_atto": result.cost.delta_atto,
        },
        "criteria": None if result.criteria is None else result.criteria.record(),
        "left": {node: dict(left) for node, left in result.shares.items()},
        "notes": list(result.notes),
    }

"""``preflight``."""

from __future__ import annotations

from typing import Annotated

import typer

from node_agent.cli.opening import home_of, now
from node_agent.cli.output import Format, FormatOption, reporting, say

__all__ = ["preflight"]

FAILED = 3
"""Exit status: a check found problems."""


def preflight(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="Before enrolment: the enrolment code, to check the way there.")] = "",
    form: FormatOption = Format.TABLE,
) -> None:
    """Check this machine and its network, before and after enrolment: what was found, and the fix.

    Nothing is changed, no session is opened, no row is read, and nothing shown depends on the data.

    Example: tq-node preflight
    """
    with reporting("preflight", form) as reply:
        from node_agent.preflight import CHECKS, look, run_checks
        from trustquery.protocol.enrolment import EnrolmentCode

        world = look(home_of(context), EnrolmentCode.parse(code) if code else None, now())
        found = list(run_checks(CHECKS, world))
        rows = [
            {"check": item.check, "about": item.about, "result": item.outcome.kind, "found": item.text, "fix": item.fix}
            for item in found
        ]
        headings = {"check": "Check", "about": "About", "result": "Result", "found": "Found", "fix": "Fix"}
        reply.rows(rows, headings)
        kinds = [item.outcome.kind for item in found]
        say(", ".join(f"{kinds.count(kind)} {kind}" for kind in ("pass", "warn", "fail", "skipped")))
        if "fail" in kinds:
            say("next: correct what failed, then tq-node preflight again")
            raise typer.Exit(FAILED)
        say("next: " + ("tq-node run" if world.enrolled else "tq-node enrol CODE"))

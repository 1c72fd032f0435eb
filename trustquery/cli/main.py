"""The ``tq`` command."""

from __future__ import annotations

from trustquery.cli import (
    audit,
    budget,
    codelists,
    datasets,
    explaining,
    federation,
    keys,
    login,
    permits,
    policies,
    profiles,
    projects,
    queries,
    registers,
    releases,
    requests,
)
from trustquery.cli.faults import reporting_faults
from trustquery.cli.program import new_program
from trustquery.cli.version import VersionOption

__all__ = ["app", "main"]

app = new_program(
    "tq",
    "Ask questions of hospital data that never leaves the hospitals.\n\n"
    "Start: tq login; tq project list; tq dataset show omop-5.4; then\n"
    'tq query run --project P --epsilon 0.5 "SELECT count(DISTINCT person_id) FROM person"',
)


@app.callback()
def _options(version: VersionOption = False) -> None:
    """Nothing else stands before a command."""


app.command("login")(login.login)
app.command("logout")(login.logout)
app.command("explain")(explaining.explain)
app.add_typer(projects.app, name="project")
app.add_typer(datasets.app, name="dataset")
app.add_typer(queries.app, name="query")
app.add_typer(releases.app, name="release")
app.add_typer(registers.app, name="register")
app.add_typer(audit.app, name="audit")
app.add_typer(profiles.app, name="profile")
app.add_typer(codelists.app, name="codelist")
app.add_typer(budget.app, name="budget")
app.add_typer(policies.app, name="policy")
app.add_typer(requests.app, name="request")
app.add_typer(permits.app, name="permit")
app.add_typer(federation.app, name="federation")
app.add_typer(keys.app, name="key")


def main() -> None:
    """Entry point."""
    reporting_faults(app)

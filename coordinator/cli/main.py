"""``tq-coordinator``: set up, run, and look after the federation's coordinator."""

from __future__ import annotations

from coordinator.cli import backups, log, nodes, projects, roles, rosters, running, statements, stores
from trustquery.cli.faults import reporting_faults
from trustquery.cli.program import new_program, take_home

__all__ = ["app", "main"]

app = new_program(
    "tq-coordinator",
    "Set up, run and look after a TrustQuery coordinator.\n\n"
    "Example: tq-coordinator init --home /srv/tq --root root.json --api localhost:8443 --nodes localhost:8444",
)
take_home(app, "The coordinator's folder; or set TQ_COORDINATOR_HOME.")


app.command("init")(running.init)
app.command("run")(running.run)
app.command("backup")(backups.backup)
app.command("restore")(backups.restore)
app.add_typer(running.config_app, name="config")
app.add_typer(stores.app, name="store")
app.add_typer(nodes.app, name="node")
app.add_typer(log.app, name="log")
app.command("status")(statements.status)
app.add_typer(rosters.app, name="roster")
app.add_typer(statements.app, name="statement")
app.add_typer(statements.root_app, name="root")
app.add_typer(roles.app, name="user")
app.add_typer(projects.app, name="project")


def main() -> None:
    """Entry point."""
    reporting_faults(app)

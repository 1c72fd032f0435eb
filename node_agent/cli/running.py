"""``run``, ``status``, ``pause``, ``stop``, ``resume`` and ``ledger verify``."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from node_agent.cli.opening import home_of, keys_from, now, policies_of, startup_of
from node_agent.cli.output import Format, FormatOption, reporting, say
from node_agent.config import Home
from trustquery.errors import TrustQueryError

__all__ = ["ledger_app", "pause", "resume", "run", "status", "stop"]

ledger_app = typer.Typer(help="The record of privacy loss.", no_args_is_help=True)


def run(
    context: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", help="Log to the home folder only.")] = False,
) -> None:
    """Run the node until it is told to end (Ctrl-C, SIGTERM or `tq-node stop`).

    It verifies the whole ledger first, dials the coordinator, and listens nowhere.

    Example: tq-node run
    """
    with reporting("run"):
        home = home_of(context)
        startup_of(home)
        from node_agent.config import harden_transport

        harden_transport()
        # A core dump would hold keys and exact counts.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # Where a native library crashed: names of functions only, to stderr, which stays at the trust.
        faulthandler.enable()
        os.umask(0o077)
        from node_agent.logs import configure
        from node_agent.service import run as run_service

        home.create()
        log = configure(home.logs, None if quiet else sys.stderr)
        run_service(home, log=log.info)


def _process(home: Home) -> dict[str, Any]:
    """Whether a process has the ledger, and the link's last word."""
    from node_agent.budget.database import is_in_use

    if not is_in_use(home.ledger):
        return {"running": False, "connected": False}
    try:
        found: dict[str, Any] = json.loads((home.path / "status.json").read_text())
    except (OSError, ValueError):
        found = {}
    return {"running": True, "connected": bool(found.get("connected"))}


def status(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """Show whether the node runs, is connected, and may answer.

    Example: tq-node status --format json
    """
    with reporting("status", form) as reply:
        from node_agent.enrolment.startup import certificate_days_left
        from node_agent.sources.store import Store

        home = home_of(context)
        startup, policies = startup_of(home), policies_of(home)
        facts: dict[str, Any] = {"node": startup.node, "federation": startup.federation, **_process(home)}
        facts["answering"] = not policies.stopped()
        try:
            policy = policies.policy()
            facts["policy_version"], facts["policy_sha256"] = policy.version, policy.sha256
        except TrustQueryError as error:
            facts["policy_version"], facts["policy_sha256"] = error.code, ""
        try:
            store = Store.open(home.store)
            facts["data_version"], facts["datasets"] = store.data_version, sorted(store.dataset_tables)
        except TrustQueryError as error:
            facts["data_version"], facts["datasets"] = error.code, []
        facts["certificate_days_left"] = certificate_days_left(startup, now())
        reply.facts(facts)
        say("next: " + _next(facts))


def _next(facts: dict[str, Any]) -> str:
    if not facts["answering"]:
        return "tq-node resume --key FILE --key FILE"
    if not isinstance(facts["policy_version"], int):
        return "tq-node policy activate FILE.dsse"
    if not isinstance(facts["data_version"], int):
        return "tq-node source refresh"
    return "tq-node ledger verify" if facts["running"] else "tq-node run"


@ledger_app.command("verify")
def verify(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """Check the hash chain and every sum; show what each scope has spent.

    Works beside a running node. What was cut off at the end of the chain only witnesses can notice.

    Example: tq-node ledger verify
    """
    with reporting("ledger verify", form) as reply:
        from node_agent.budget.reader import LedgerReader

        ledger = LedgerReader(home_of(context).ledger)
        try:
            totals, entries = ledger.totals(), ledger.size()
        finally:
            ledger.close()
        rows = [
            {
                "scope": scope,
                "subject": subject or "all",
                "spent_rho": f"{rho / 10**9:.9f}",
                "spent_rho_nano": rho,
                "spent_delta_atto": delta,
                "releases": releases,
            }
            for scope, subject, rho, delta, releases in totals
        ]
        reply.rows(rows, {"scope": "Scope", "subject": "Subject", "spent_rho": "Spent rho", "releases": "Releases"})
        say(f"{entries} entries verified. next: tq-node status")


def pause(context: typer.Context) -> None:
    """Answer nothing from now on; the node stays connected. Anybody here may, and it works at once.

    Example: tq-node pause
    """
    with reporting("pause"):
        policies_of(home_of(context)).mark("pause")
        say("paused: nothing is answered. next: tq-node resume --key FILE --key FILE")


def stop(
    context: typer.Context,
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait for the process to end.")] = 30,
) -> None:
    """Answer nothing from now on, and end the running node. Anybody here may, and it works at once.

    Example: tq-node stop
    """
    with reporting("stop"):
        from node_agent.budget.database import is_in_use

        home = home_of(context)
        policies_of(home).mark("stop")
        say("stopped: nothing is answered from now on")
        ends = time.monotonic() + wait
        while is_in_use(home.ledger) and time.monotonic() < ends:
            time.sleep(0.1)
        say("the process still runs; it ends by itself" if is_in_use(home.ledger) else "no process runs")
        say("next: tq-node resume --key FILE --key FILE; then tq-node run")


def resume(
    context: typer.Context,
    key: Annotated[list[Path], typer.Option(help="A governance person's key; give two.")],
) -> None:
    """Answer again under the policy that was paused. It takes two governance people.

    Example: tq-node resume --key ~/keys/alice.pem --key ~/keys/bob.pem
    """
    with reporting("resume"):
        policies = policies_of(home_of(context))
        policies.governance.require(keys_from(key), "resume answering")
        say("answering again" if policies.clear_marks() else "it was not stopped")
        say("next: tq-node status")

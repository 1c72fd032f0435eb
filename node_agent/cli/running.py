"""``run``, ``status``, ``pause``, ``stop``, ``resume`` and ``ledger verify``."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from node_agent.cli.opening import hand_in, home_of, keys_from, now, policies_of, startup_of
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
        from node_agent.budget.book import BookReader
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
        facts["changes_waiting"] = len(BookReader.beside(home.ledger).waiting())
        try:
            store = Store.open(home.store)
            facts["data_version"], facts["datasets"] = store.data_version, sorted(store.dataset_tables)
        except TrustQueryError as error:
            facts["data_version"], facts["datasets"] = error.code, []
        facts["opt_out_jobs"] = _opt_out_jobs(home)
        facts["certificate_days_left"] = certificate_days_left(startup, now())
        reply.facts(facts)
        say("next: " + _next(facts))


def _opt_out_jobs(home: Home) -> list[str]:
    """How each job on lists of opt-outs last ended; empty where there are none."""
    from node_agent.config import load_config
    from node_agent.optout.current import open_vault
    from node_agent.optout.schedule import JOBS

    try:
        config = load_config(home)
        if not config.nhs_numbers:
            return []
        vault = open_vault(home, config)
        try:
            return [f"{run.job}: {run.outcome or 'not ended'}" for job in JOBS for run in vault.runs(job, 1)]
        finally:
            vault.close()
    except TrustQueryError as error:
        return [error.code]


def _next(facts: dict[str, Any]) -> str:
    if not facts["answering"]:
        return "tq-node resume --key FILE --key FILE"
    if not isinstance(facts["policy_version"], int):
        return "tq-node policy activate FILE.dsse"
    if not isinstance(facts["data_version"], int):
        return "tq-node source refresh"
    if facts["changes_waiting"]:
        return "tq-node policy pending"
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
        home = home_of(context)
        _mark(home, "pause")
        say("paused: nothing is answered from now on")
        _enter(home)
        say("next: tq-node resume --key FILE --key FILE")


def _mark(home: Home, kind: Literal["pause", "stop"]) -> None:
    """The mark needs nothing but this folder: no ledger, no running node, no coordinator, no key."""
    from node_agent.policy_store.marks import Marks

    # A mark in a folder that is no node's home would stop nothing and say that it did.
    if not home.config_file.exists():
        raise TrustQueryError("config-missing", path=home.config_file, instead="name the home: tq-node --home FOLDER …")
    Marks(home.control).put(kind)


def _enter(home: Home) -> None:
    """Have the mark entered in the ledger. It holds either way, also where the ledger cannot be written."""
    try:
        hand_in(home, "note")
        say("it is entered in the ledger")
    except TrustQueryError as error:
        say(f"it holds, but could not be entered in the ledger yet ({error.code}); the next start enters it")


def stop(
    context: typer.Context,
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait for the process to end.")] = 30,
) -> None:
    """Answer nothing from now on, and end the running node. Anybody here may, and it works at once.

    Example: tq-node stop
    """
    with reporting("stop"):
        home = home_of(context)
        _mark(home, "stop")
        say("stopped: nothing is answered from now on")
        from node_agent.budget.database import is_in_use

        ends = time.monotonic() + wait
        while is_in_use(home.ledger) and time.monotonic() < ends:
            time.sleep(0.1)
        if is_in_use(home.ledger):
            say("the process still runs; it ends by itself, and enters the stop in the ledger")
        else:
            say("no process runs")
            _enter(home)
        say("next: tq-node resume --key FILE --key FILE; then tq-node run")


def resume(
    context: typer.Context,
    key: Annotated[list[Path], typer.Option(help="A governance person's key; give two.")],
) -> None:
    """Answer again under the policy that was paused. It takes two governance people.

    What a stop held back stays here for good: analysts ask again.

    Example: tq-node resume --key ~/keys/alice.pem --key ~/keys/bob.pem
    """
    with reporting("resume"):
        from trustquery.identity import Order

        home = home_of(context)
        startup, keys = startup_of(home), keys_from(key)
        policies_of(home).governance.require(keys, "resume answering")
        mark = hand_in(home, "note")
        if mark.state != "marked":
            say("it was not stopped")
        else:
            order = Order(federation=startup.federation, node=startup.node, act="resume", about=mark.sha256)
            hand_in(home, "obey", order.sign(*keys).encode())
            say("answering again")
        say("next: tq-node status")

"""``run``, ``status``, ``pause``, ``stop``, ``resume``, ``ledger verify`` and ``ledger alarms``."""

from __future__ import annotations

import datetime
import faulthandler
import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from node_agent.cli.opening import documents_of, hand_in, home_of, keys_from, now, policies_of, startup_of
from node_agent.cli.output import Format, FormatOption, reporting, say
from node_agent.config import Home
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from node_agent.policy_store import DocumentStore

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
        startup = startup_of(home)
        from node_agent.config import harden_transport

        harden_transport()
        # A core dump would hold keys and exact counts.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # Where a native library crashed: names of functions only, to stderr, which stays at the trust.
        faulthandler.enable()
        from node_agent.logs import configure
        from node_agent.service import run as run_service

        home.create()
        log = configure(home.logs, None if quiet else sys.stderr)
        from node_agent.cli.waiting import waits_for

        for item in waits_for(home):
            say(f"until then nothing is answered; this node waits for {item}")
        run_service(home, log=log.info, startup=startup)


def _process(home: Home) -> dict[str, Any]:
    """Whether a process has the ledger, and the link's last word."""
    from node_agent.budget.database import is_in_use

    if not is_in_use(home.ledger):
        return {"running": False, "connected": False, "transport": None}
    try:
        found: dict[str, Any] = json.loads((home.path / "status.json").read_text())
    except (OSError, ValueError):
        found = {}
    return {"running": True, "connected": bool(found.get("connected")), "transport": _transport(found)}


def _transport(found: dict[str, Any]) -> str | None:
    """What carries the link, in words."""
    if found.get("transport") == "grpc":
        return "gRPC"
    if found.get("transport") != "websocket":
        return None
    return "WebSocket, because HTTP/2 does not pass here" if found.get("fallback") else "WebSocket, by node.toml"


def status(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """Show whether the node runs, is connected, and may answer.

    Example: tq-node status --format json
    """
    with reporting("status", form) as reply:
        from node_agent.budget.book import BookReader
        from node_agent.enrolment.startup import certificate_days_left
        from node_agent.preflight.machine import room
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
        facts.update(_retention(home))
        facts["alarms"] = _alarms(home)
        facts["ledger"] = _ledger(home)
        space = room(home.path)
        facts["disk"] = space.text
        facts["certificate_days_left"] = certificate_days_left(startup, now())
        warnings = _federation(documents_of(home), facts)
        reply.facts(facts)
        for warning in warnings:
            say(f"warning: {warning}")
        if space.kind == "fail":
            say(f"warning: {space.text}: {space.fix}")
        say("next: " + _next(facts))


def _federation(documents: DocumentStore, facts: dict[str, Any]) -> tuple[str, ...]:
    """Enter what is here of the federation's documents; returns what ends soon."""
    from trustquery.identity.warnings import days_left, hours_old, warnings_of

    moment, roster, statement = now(), None, None
    try:
        facts["root_version"] = documents.root().version
        roster = documents.roster(moment)
        facts["roster_version"], facts["roster_days_left"] = roster.version, days_left(roster, moment)
        statement, _ = documents.revocations(moment)
        facts["statement_version"], facts["statement_hours_old"] = statement.version, hours_old(statement, moment)
    except TrustQueryError as error:
        facts["federation_documents"] = error.code
    return warnings_of(roster, statement, moment)


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


def _retention(home: Home) -> dict[str, Any]:
    """For how many days answers are kept, how many are, and how many were erased; nothing of what is in them."""
    from node_agent.budget.history import history
    from node_agent.config import load_config

    facts: dict[str, Any] = {}
    try:
        facts["answers_kept_days"] = load_config(home).retention.answers_days
    except TrustQueryError as error:
        facts["answers_kept_days"] = error.code
    if not home.ledger.exists():
        return facts | {"answers_kept": 0, "answers_erased": 0, "last_erased": ""}
    with history(home.ledger) as found:
        kept = found.kept()
    last = datetime.datetime.fromtimestamp(kept.last_day * 86_400, datetime.UTC).date().isoformat()
    return facts | {
        "answers_kept": kept.answers,
        "answers_erased": kept.erased,
        "last_erased": last if kept.erased else "",
    }


def _alarms(home: Home) -> int:
    """How often the coordinator sent what no honest one sends."""
    from node_agent.budget.history import history

    if not home.ledger.exists():
        return 0
    with history(home.ledger) as found:
        return sum(alarm.more or 1 for alarm in found.alarms())


def _ledger(home: Home) -> str:
    """What witnesses say of the ledger, in words."""
    from node_agent.budget.history import history
    from trustquery.log import Checkpoint

    if not home.ledger.exists():
        return "none yet"
    with history(home.ledger) as found:
        if found.frozen():
            return "frozen: witnesses have cosigned another life of it"
        note = found.cosigned()
    return f"{Checkpoint.read(note).size} entries cosigned" if note else "no witness has cosigned it"


def _next(facts: dict[str, Any]) -> str:
    if facts["ledger"].startswith("frozen"):
        return "tq-node ledger repair"
    if facts["running"] and not facts["connected"]:
        return "tq-node preflight"
    if not facts["answering"]:
        return "tq-node resume --key FILE --key FILE"
    if not isinstance(facts["policy_version"], int):
        return "tq-node policy activate FILE.dsse"
    if not isinstance(facts["data_version"], int):
        return "tq-node source refresh"
    if facts["alarms"]:
        return "tq-node ledger alarms"
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


@ledger_app.command("alarms")
def alarms(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """List what the coordinator sent that no honest one sends: when, what, and why it was refused.

    Nothing of it was believed, and nothing was spent. The ledger has the hash of each.

    Example: tq-node ledger alarms
    """
    with reporting("ledger alarms", form) as reply:
        from node_agent.budget.history import history

        with history(home_of(context).ledger) as found:
            listed = found.alarms()
        rows = [
            {
                "entry": alarm.seq,
                "at": alarm.at,
                "time": datetime.datetime.fromtimestamp(alarm.at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
                "code": alarm.code,
                "place": alarm.place,
                "sha256": alarm.sha256,
                "more": alarm.more,
                "text": _alarm_text(alarm.code, alarm.place, alarm.more),
            }
            for alarm in listed
        ]
        reply.rows(rows, {"entry": "Entry", "time": "Time", "code": "Code", "text": "What it was"})
        say("next: tell your governance and the federation's operator" if rows else "none. next: tq-node status")


def _alarm_text(code: str, place: str, more: int) -> str:
    if more:
        return f"{more} more on that day, which are not listed one by one"
    if place.startswith("frame"):
        return f"a frame was not allowed ({place.removeprefix('frame ')}): the session was ended"
    if code == "policy-document-stale":
        return f"the {place} is out of date or older than one seen before: it was not taken"
    return f"the {place} is not what it claims to be: it was not taken"


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

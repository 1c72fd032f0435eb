"""The commands ``optout …``. No number and no key of a person is ever printed."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node_agent.cli.opening import home_of, now, policies_of, read_file
from node_agent.cli.output import Format, FormatOption, reporting, say
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from node_agent.config import Home, NodeConfig
    from node_agent.optout.vault import Kind, Vault

__all__ = ["app"]

app = typer.Typer(
    help="People's opt-outs: who is left out of every answer, and how old that knowledge is.", no_args_is_help=True
)
DAY = 86_400
_POLL_SECONDS = 5.0
AsOf = Annotated[
    str,
    typer.Option("--as-of", metavar="YYYY-MM-DD", help="The day that the list speaks of; its age counts from here."),
]
IN_FORCE = "it is applied with the next data version. next: tq-node source refresh"


@contextmanager
def _opened(context: typer.Context) -> Iterator[tuple[Home, NodeConfig, Vault]]:
    from node_agent.config import load_config
    from node_agent.optout.current import open_vault

    home = home_of(context)
    config = load_config(home)
    if not config.nhs_numbers:
        raise TrustQueryError("optout-not-configured", part="[[nhs_numbers]]")
    vault = open_vault(home, config)
    try:
        yield home, config, vault
    finally:
        vault.close()


@app.command()
def status(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """Show each list: its age, whether the data version in use applies it, and whether the policy still takes it.

    Example: tq-node optout status
    """
    with reporting("optout status", form) as reply, _opened(context) as (home, config, vault):
        rows = list(_lists(home, config, vault))
        headings = {"list": "List", "dataset": "Dataset", "as_of": "As of", "age_days": "Age in days"}
        reply.rows(rows, headings | {"applied": "Applied", "fresh": "Fresh enough"})
        from node_agent.optout.schedule import JOBS

        for job in JOBS:
            for run in vault.runs(job, 1):
                minutes = (now() - run.started) // 60
                say(f"the node's last {job}: {minutes} minutes ago, {run.outcome or 'not ended'}")
        waiting = [item for item in vault.waiting() if item.state == "sent"]
        if waiting:
            say(f"sent and not answered yet: {len(waiting)}, the oldest {(now() - waiting[0].made) // DAY} days ago")
        for line in _refused(vault):
            say(line)
        if rows and all(row["applied"] and row["fresh"] for row in rows):
            say("next: tq-node status")
        elif any(row["as_of"] and not row["applied"] for row in rows):
            say("a list that is here is not applied yet. next: tq-node source refresh")
        else:
            say("questions that need these lists are refused. next: tq-node optout refresh")


def _refused(vault: Vault) -> Iterator[str]:
    """What came of replies that were not believed, and what in the mailbox is somebody else's."""
    from node_agent.optout.schedule import MOST_AGAIN, ask_again

    ended, messages = vault.ended(), vault.no_replies()
    refused = next((at for at, item in enumerate(ended) if item.state != "refused"), len(ended))
    again = ask_again(ended)
    if again is not None:
        yield (
            f"replies refused one after the other: {refused}; a running node sends the numbers again "
            f"in {max(0, again - now()) // 60} minutes, in another order"
        )
    elif refused:
        yield f"replies refused one after the other: {refused}, more than {MOST_AGAIN}: asked at the ordinary pace"
    last = next((item for item in messages if item.problem), None)
    if last is not None:
        yield f"the last message that was no reply, {_day_of(last.at)}: {last.problem}"
    others = sum(not item.problem for item in messages)
    if others:
        yield f"messages in the mailbox that are somebody else's, and stay there: {others}"


def _lists(home: Home, config: NodeConfig, vault: Vault) -> Iterator[dict[str, Any]]:
    from node_agent.sources.store import Store

    try:
        applied = Store.open(home.store).opt_outs
    except TrustQueryError:
        applied = {}
    rule = None
    try:
        rule = policies_of(home).policy().opt_outs
    except TrustQueryError as error:
        say(f"no policy says how old a list may be ({error.code}), so none is fresh enough")
    for item in config.nhs_numbers:
        held = {used.kind: used for used in vault.used(item.dataset)}
        in_use = {used.kind: used for used in applied.get(item.dataset, ())}
        for kind in sorted({"national", *held, *(rule.lists if rule is not None else ())}):
            used = held.get(kind)
            age = None if used is None else now() - used.as_of
            yield {
                "list": kind,
                "dataset": item.dataset,
                "as_of": None if used is None else _day_of(used.as_of),
                "age_days": None if age is None else max(0, age) // DAY,
                "applied": used is not None and in_use.get(kind) == used,
                "fresh": rule is not None and age is not None and 0 <= age <= rule.max_age_days * DAY,
            }


@app.command()
def refresh(
    context: typer.Context,
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait for the reply; it often takes an hour.")] = 0,
    form: FormatOption = Format.TABLE,
) -> None:
    """Take the replies that MESH holds, and send every verified NHS number of every table again.

    What waits for its reply already is not sent a second time on the same day.

    Example: tq-node optout refresh --wait 60
    """
    with reporting("optout refresh", form) as reply, _opened(context) as (home, config, vault), vault.alone():
        from node_agent.optout.exchange import make_request
        from node_agent.optout.mesh import Mailbox

        if config.mesh is None:
            raise TrustQueryError("optout-not-configured", part="[mesh]")
        mailbox, most = Mailbox(config.mesh, home.secret), config.optout.most_percent
        found = mailbox.collect(vault, now(), most_percent=most)
        waiting = [item for item in vault.waiting() if item.state == "sent" and now() - item.made < DAY]
        if not waiting and not found.taken:
            mailbox.send(vault, make_request(vault, config.nhs_numbers, home.resolve, now()))
        ends = time.monotonic() + wait
        while not found.taken and not found.problems and time.monotonic() < ends:
            time.sleep(min(_POLL_SECONDS, wait))
            found = mailbox.collect(vault, now(), most_percent=most)
        reply.facts({"taken": found.taken, "refused": list(found.problems), "waiting": len(vault.waiting())})
        say(
            IN_FORCE
            if found.taken
            else "the list in force stays. next: tq-node optout refresh, when the reply is there"
        )
        if found.problems:
            raise typer.Exit(3)


@app.command()
def request(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to write the numbers; it must not exist yet.")],
    form: FormatOption = Format.TABLE,
) -> None:
    """Write the file for NHS England's service, to send by hand: every verified NHS number of every table.

    The age of the list counts from now. Send it with workflow SPINE_NTT_UPHOLDING, then delete it.

    Example: tq-node optout request numbers.dat
    """
    with reporting("optout request", form) as reply, _opened(context) as (home, config, vault), vault.alone():
        from node_agent.optout.exchange import make_request
        from node_agent.optout.replies import request_file
        from trustquery.identity import write_private_file

        made = make_request(vault, config.nhs_numbers, home.resolve, now())
        write_private_file(file, request_file(made.numbers))
        vault.sent(made.id)
        reply.facts({"request": made.id, "file": str(file), "workflow": "SPINE_NTT_UPHOLDING"})
        say(f"next: send the file, delete it, and hand in the reply: tq-node optout reply FILE --request {made.id}")


@app.command("reply")
def take(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The service's reply, unchanged.")],
    request: Annotated[str, typer.Option(help="The request that it answers.")],
    form: FormatOption = Format.TABLE,
) -> None:
    """Take the service's reply to a request; it is believed whole or refused whole.

    Example: tq-node optout reply reply.dat --request 5f3c...
    """
    with reporting("optout reply", form) as reply, _opened(context) as (_, config, vault), vault.alone():
        from node_agent.optout.exchange import take_reply

        used = take_reply(vault, request, read_file(file), most_percent=config.optout.most_percent)
        reply.facts({"list": used.kind, "as_of": _day_of(used.as_of), "hash": used.keyed_hash})
        say(IN_FORCE)


@app.command()
def type1(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="NHS numbers, one a line; a comma may follow. It may be empty.")],
    as_of: AsOf,
    form: FormatOption = Format.TABLE,
) -> None:
    """Hand in the people who registered a Type 1 opt-out: the whole list, in place of the one before.

    Example: tq-node optout type1 type1.csv --as-of 2026-11-01
    """
    with reporting("optout type1", form) as reply:
        from node_agent.optout.numbers import read_numbers

        entries = read_numbers(read_file(file), "type-1")
        reply.facts(_hand_in(context, "type-1", "", entries, as_of))
        say(IN_FORCE)


@app.command()
def local(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Local person keys, one a line. It may be empty.")],
    as_of: AsOf,
    dataset: Annotated[str, typer.Option(help="Whose keys they are; may be left out where there is one dataset.")] = "",
    form: FormatOption = Format.TABLE,
) -> None:
    """Hand in the people who objected to this trust: the whole list, in place of the one before.

    Example: tq-node optout local objections.txt --as-of 2026-11-01
    """
    with reporting("optout local", form) as reply:
        from node_agent.optout.numbers import read_keys

        entries = read_keys(read_file(file), "local")
        reply.facts(_hand_in(context, "local", dataset, entries, as_of))
        say(IN_FORCE)


def _hand_in(context: typer.Context, kind: Kind, dataset: str, entries: tuple[str, ...], as_of: str) -> dict[str, Any]:
    with _opened(context) as (_, config, vault), vault.alone():
        known = [item.dataset for item in config.nhs_numbers]
        if kind == "local" and (dataset or len(known) > 1) and dataset not in known:
            raise TrustQueryError("optout-not-configured", part="[[nhs_numbers]] for that dataset")
        whose = "" if kind != "local" else dataset or known[0]
        used = vault.put(kind, whose, entries, _moment(as_of, kind))
    return {"list": kind, "dataset": whose or "every", "as_of": as_of, "hash": used.keyed_hash}


def _moment(text: str, kind: str) -> int:
    """The start of a day, UTC: a list of that day may be as old as that."""
    try:
        day = datetime.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
    except ValueError as error:
        raise TrustQueryError("optout-list-invalid", list=kind, problem="its day is not written YYYY-MM-DD") from error
    if day.timestamp() > now():
        raise TrustQueryError("optout-list-invalid", list=kind, problem="its day has not come yet")
    return int(day.timestamp())


def _day_of(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).date().isoformat()

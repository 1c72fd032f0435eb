"""``tq request``: what is before the data access committee. Every signature is made here, over what is shown here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trustquery.cli.confirm import confirm_act
from trustquery.cli.output import Format, data, data_json, reporting, say
from trustquery.cli.tables import day, show_rows
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from trustquery.projects.decisions import Verdict

__all__ = ["app"]

app = typer.Typer(
    help="Applications and the data access committee's decisions on them.\n\n"
    "Start: tq request list; tq request show NAME; then tq request approve NAME --key FILE",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="The project.")]
Key = Annotated[Path, typer.Option(help="Your key as a member of the committee.")]
Keys = Annotated[list[Path], typer.Option(help="A committee member's key; may be given several times.")]
Reason = Annotated[str, typer.Option(help="Why, in words that the applicant and the public can read.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("list")
def list_requests(
    form: Annotated[Format, typer.Option("--format", help="How to write to stdout.")] = Format.TABLE,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are decided.")] = False,
) -> None:
    """List the applications that you may read: your own, and for the committee what waits for a decision.

    Example: tq request list
    """
    with reporting():
        from trustquery.cli.connecting import connect

        with connect() as connection:
            found = connection.applications().everyone()
        waiting = ("draft", "submitted", "seconded", "returned")
        rows = [row | {"since": day(row["updated"])} for row in found if everything or row["state"] in waiting]
        if not rows:
            say("Nothing waits." if not everything else "There is nothing that you may read.")
            return
        columns = {"project": "Project", "version": "Version", "state": "State", "since": "Since", "title": "Title"}
        show_rows(rows, columns, form)
        say(f"next: tq request show {rows[0]['project']}")


@app.command()
def show(
    name: Name,
    form: Annotated[Format, typer.Option("--format", help="How to write to stdout.")] = Format.TABLE,
) -> None:
    """Show an application under the Five Safes, who signed it, what was decided, and its record.

    Example: tq request show stay-lengths
    """
    with reporting():
        from trustquery.cli.connecting import connect
        from trustquery.projects.five_safes import render

        with connect() as connection:
            request = connection.applications().get(name)
        if form is not Format.TABLE:
            data_json(dict(request.raw))
            return
        answers = dict(request.answers)
        if request.raw["envelope"] and not (request.own and request.state in ("draft", "returned")):
            # From the signed bytes, whatever else was sent.
            application = request.submitted()
            answers = application.model_dump(mode="json")
            say(f"signed by a lead of its team on {day(application.submitted)}; application hash {application.sha256}")
        data(render(answers, title=f"{name}, application version {request.version}: {request.state}"))
        for event in request.raw["events"]:
            say(f"{day(event['at'])}: {event['text']}")
        if not request.own and request.state in ("submitted", "seconded"):
            say(f"next: tq request approve {name} --key FILE, or: tq request return {name} --key FILE --reason TEXT")


@app.command()
def approve(name: Name, key: Key, yes: Yes = False) -> None:
    """Read the application and the permit that it becomes, and sign the permit. It takes two different members.

    The same command renews the permit of an approved project, for 90 days at most.

    Example: tq request approve stay-lengths --key ~/keys/casey.pem
    """
    with reporting():
        from trustquery.cli.connecting import connect
        from trustquery.cli.signing import load_key
        from trustquery.projects.five_safes import render

        with connect() as connection:
            desk = connection.applications()
            request = desk.get(name)
            application = request.decidable()
            permit, envelope = desk.permit(request)
            say(render(application.model_dump(mode="json"), title=f"{name}, application version {application.version}"))
            say(f"\nPermit version {permit.version}, from {day(permit.valid_from)} to {day(permit.expires)}.")
            say(f"It says what the application says, and nothing else. Permit hash {envelope.sha256}")
            if envelope.signatures:
                say(f"{len(envelope.signatures)} signature is on it already.")
            confirm_act("Do you approve exactly this?", yes=yes)
            state = desk.approve(name, envelope.with_signature(load_key(key)))
        data(envelope.sha256)
        if state == "approved":
            say("approved: trusts are told now, and each decides for itself. next: tq request list")
        else:
            say(f"signed; a second member must sign too: tq request approve {name} --key FILE")


def _decide(name: str, verdict: Verdict, reason: str, keys: list[Path], out: Path | None, begun: Path | None) -> bool:
    """Sign a decision and hand it in; with too few signatures, only write it to a file. True when it was handed in."""
    from trustquery.cli.connecting import connect
    from trustquery.cli.signing import load_key, read_bytes, write_new
    from trustquery.identity import Envelope
    from trustquery.projects.decisions import Decision

    with connect() as connection:
        desk = connection.applications()
        if begun is not None:
            envelope = Envelope.decode(read_bytes(begun), kind=Decision.KIND)
            decision = Decision.from_payload(envelope.payload)
            if (decision.project, decision.verdict) != (name, verdict):
                raise TrustQueryError(
                    "auth-document", str(begun), document="decision", problem="it decides something else"
                )
        else:
            decision = desk.decision(name, verdict, reason)
            envelope = Envelope(Decision.KIND, decision.payload(), ())
        say(f"{name}: {verdict}\nabout {decision.about}\nreason: {decision.reason}")
        for path in keys:
            envelope = envelope.with_signature(load_key(path))
        if verdict == "resume" and len(envelope.signatures) < 2:
            target = out if out is not None else Path(f"{name}-resume.dsse")
            write_new(target, envelope.encode())
            say(f"signed by one member. next, a second: tq request resume {name} --key FILE --decision {target}")
            return False
        desk.decide(decision, envelope)
    return True


@app.command("return")
def send_back(name: Name, key: Key, reason: Reason) -> None:
    """Return an application with a reason: its team can change it and submit it again.

    Example: tq request return stay-lengths --key ~/keys/casey.pem --reason "Say who benefits."
    """
    with reporting():
        _decide(name, "return", reason, [key], None, None)
        say("returned to its team. next: tq request list")


@app.command()
def refuse(name: Name, key: Key, reason: Reason) -> None:
    """Refuse an application, with a reason. That is final: a new one needs a new name.

    Example: tq request refuse stay-lengths --key ~/keys/casey.pem --reason "It serves no patient."
    """
    with reporting():
        _decide(name, "refuse", reason, [key], None, None)
        say("refused. next: tq request list")


@app.command()
def suspend(name: Name, key: Key, reason: Reason) -> None:
    """Suspend a project at once, with a reason. One member is enough; resuming takes two.

    Example: tq request suspend stay-lengths --key ~/keys/casey.pem --reason "Its lead has left."
    """
    with reporting():
        _decide(name, "suspend", reason, [key], None, None)
        say(f"{name} is suspended: no question is taken. next: tq request resume {name} --key FILE --reason TEXT")


@app.command()
def resume(
    name: Name,
    key: Keys,
    reason: Annotated[str, typer.Option(help="Why, in words; not with --decision.")] = "",
    decision: Annotated[Path | None, typer.Option(help="The decision that a colleague has signed.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where a decision with one signature is written.")] = None,
) -> None:
    """Let a suspended project go on. It takes two members: the first writes a file, the second adds a signature.

    Example: tq request resume stay-lengths --key ~/keys/robin.pem --decision stay-lengths-resume.dsse
    """
    with reporting():
        if not reason and decision is None:
            raise TrustQueryError(
                "usage-invalid", place="--reason", problem="say why, or give the decision that was begun"
            )
        if _decide(name, "resume", reason, key, out, decision):
            say(f"{name} goes on. next: tq request list --all")

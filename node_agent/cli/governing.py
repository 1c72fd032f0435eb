"""``policy …`` and ``project …``: what governance people decide, rendered from the bytes that are signed."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node_agent.cli.opening import (
    documents_of,
    hand_in,
    home_of,
    keys_from,
    now,
    policies_of,
    read_file,
    stances_of,
    startup_of,
)
from node_agent.cli.output import Format, FormatOption, reporting, say
from node_agent.reports.words import day_of, loss
from trustquery.cli.policy_tools import add_to
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from node_agent.config import Home
    from trustquery.identity import Permit
    from trustquery.projects.decisions import Stance

__all__ = ["policy_app", "project_app"]

policy_app = typer.Typer(
    help="What this trust answers: see what a policy would do, sign, activate, show.", no_args_is_help=True
)
project_app = typer.Typer(help="Projects that ask to use this trust's data.", no_args_is_help=True)

Keys = Annotated[list[Path], typer.Option(help="A governance person's key file; give two.")]


add_to(policy_app, "tq-node")


@policy_app.command("show")
def show(context: typer.Context) -> None:
    """Show the policy in force and what its caps promise a patient, as JSON.

    Example: tq-node policy show
    """
    with reporting("policy show", Format.JSON) as reply:
        from trustquery.policy.promised import document

        policy = policies_of(home_of(context)).policy()
        reply.facts({"sha256": policy.sha256, "promise": document(policy), "policy": policy.summary()})


def _in_words(permit: Permit) -> list[str]:
    basis = permit.lawful_basis
    return [
        f"project {permit.project}, permit version {permit.version}: {permit.title}",
        f"purpose: {permit.purpose}",
        f"in plain words: {permit.lay_summary}",
        f"lawful basis: {basis.article_6}; {basis.article_9}; {basis.common_law}",
        "people: "
        + "; ".join(
            f"{member.name} of {member.organisation} ({member.role}, training until {day_of(member.training_expires)})"
            for member in permit.members
        ),
        f"data: {', '.join(permit.datasets)}; opt-outs: {permit.opt_out_treatment}",
        f"privacy loss at this trust: at most {loss(permit.rho_nano)}",
        f"from {day_of(permit.valid_from)} until {day_of(permit.expires)}",
    ]


@project_app.command("list")
def list_projects(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """List the projects whose permits have reached this node, and whether the trust has accepted them.

    Example: tq-node project list
    """
    with reporting("project list", form) as reply:
        home = home_of(context)
        documents, policies, stances = documents_of(home), policies_of(home), stances_of(home)
        rows = []
        for name in documents.projects():
            try:
                permit, envelope = documents.permit(name, now())
                state, title, ends = _state(stances.last(name), envelope.sha256), permit.title, day_of(permit.expires)
                if policies.acceptance(name).permit_hash == envelope.sha256:
                    state = "accepted"
            except TrustQueryError as error:
                if error.code != "policy-not-accepted":
                    state, title, ends = error.code, "-", "-"
            rows.append({"project": name, "state": state, "ends": ends, "title": title})
        reply.rows(rows, {"project": "Project", "state": "State", "ends": "Ends", "title": "Title"})
        say("next: tq-node project accept PROJECT --key FILE --key FILE")


def _state(last: Stance | None, permit_hash: str) -> str:
    """What stands where there is no acceptance: a no to this very permit, or nothing yet."""
    return "declined" if last is not None and (last.permit_hash, last.word) == (permit_hash, "declined") else "waiting"


def _cap(rho: str, most: int) -> int:
    """A cap in 1e-9 rho, at most the permit's.

    Raises:
        TrustQueryError: ``usage-invalid``.
    """
    from trustquery.policy.numbers import nano

    try:
        wanted = Decimal(rho)
        if not (wanted.is_finite() and 0 < wanted <= 1_000_000 and wanted.scaleb(9) == int(wanted.scaleb(9))):
            raise ArithmeticError
    except ArithmeticError as error:
        problem = "write a number above 0 with at most 9 decimals, such as 0.5"
        raise TrustQueryError("usage-invalid", place="--rho", problem=problem) from error
    return min(most, nano(wanted))


def _conditions(given: list[str] | None) -> tuple[str, ...]:
    from node_agent.policy_store.stances import MOST_CONDITIONS

    found = tuple(text.strip() for text in given or ())
    if len(found) > MOST_CONDITIONS or any(not 0 < len(text) <= 4_000 for text in found):
        problem = f"at most {MOST_CONDITIONS} conditions, each in words, of at most 4,000 characters"
        raise TrustQueryError("usage-invalid", place="--condition", problem=problem)
    return found


@project_app.command("accept")
def accept(
    context: typer.Context,
    project: Annotated[str, typer.Argument(help="The project's name.")],
    key: Keys,
    permit_file: Annotated[
        Path | None, typer.Option("--permit", help="The permit's envelope; else the one the node was sent.")
    ] = None,
    rho: Annotated[str, typer.Option(help="A lower cap on privacy loss at this trust, in rho.")] = "",
    condition: Annotated[list[str] | None, typer.Option(help="A condition, in words.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Read a permit out and say yes to it for this trust. It takes two governance people.

    Example: tq-node project accept bedcare --key ~/keys/alice.pem --key ~/keys/bob.pem
    """
    with reporting("project accept"):
        from trustquery.identity import Acceptance

        home, conditions = home_of(context), _conditions(condition)
        documents, startup = documents_of(home), startup_of(home)
        if permit_file is not None:
            documents.take_permit(read_file(permit_file), now())
        permit, envelope = documents.permit(project, now())
        cap = _cap(rho, permit.rho_nano) if rho else permit.rho_nano
        for line in _in_words(permit):
            say(line)
        if not yes and not typer.confirm("Does this trust accept exactly this?", err=True):
            raise TrustQueryError("policy-not-accepted", project=project)
        acceptance = Acceptance(
            federation=startup.federation,
            node=startup.node,
            project=permit.project,
            permit_hash=envelope.sha256,
            conditions=conditions,
            rho_nano=cap,
            accepted=now(),
            expires=permit.expires,
        )
        policies_of(home).accept(acceptance.sign(*keys_from(key)))
        _tell(home)
        say(f"accepted until {day_of(acceptance.expires)}, at most {loss(cap)}. next: tq-node status")


def _tell(home: Home) -> None:
    """Have the node say now what it would say at its next look."""
    try:
        hand_in(home, "look")
    except TrustQueryError as error:
        if error.code not in ("node-silent", "ledger-locked"):
            raise
        say("the node does not answer: it tells the federation when it next looks")


@project_app.command("decline")
def decline(
    context: typer.Context,
    project: Annotated[str, typer.Argument(help="The project's name.")],
    reason: Annotated[str, typer.Option(help="Why, in words: the applicant and the public read it.")],
) -> None:
    """Say no, or take back a yes: from now on this trust refuses the project. Anybody here may.

    Example: tq-node project decline bedcare --reason "The benefit for our patients is not clear to us."
    """
    with reporting("project decline"):
        from node_agent.policy_store.stances import check_reason

        home, text = home_of(context), check_reason(reason)
        try:
            outcome = hand_in(home, "decline", json.dumps({"project": project, "reason": text}).encode())
            state, told = outcome.state, outcome.sha256 != ""
        except TrustQueryError as error:
            if error.code != "node-silent":
                raise
            state = "declined" if policies_of(home).remove_acceptance(project) else "not accepted"
            told = stances_of(home).decline(project, text) is not None
            say("the node does not answer: its file is gone, but the ledger does not know yet. Decline again later")
        say(f"{project} is refused from now on" + (" (it had been accepted)" if state == "declined" else ""))
        say(
            "the federation is told so, with the reason, when the node is next connected"
            if told
            else "no permit of it is here, so there is nothing to tell the federation of"
        )
        say("next: tq-node project list")

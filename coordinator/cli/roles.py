"""``user grant``, ``revoke-role`` and ``deputise``."""

from __future__ import annotations

from typing import Annotated

import typer

from coordinator.cli.opening import opened
from coordinator.cli.output import reporting, say
from coordinator.cli.people import app, refuse_clash
from coordinator.services import wall_clock
from trustquery.access import Role, parse_held
from trustquery.errors import TrustQueryError

__all__ = ["app"]

Person = Annotated[str, typer.Argument(help="The person, as `user list` shows them in its fourth column.")]
RoleText = Annotated[str, typer.Argument(help="Such as auditor, committee-member or governance-officer:RX1.")]


@app.command()
def grant(context: typer.Context, person: Person, role: RoleText) -> None:
    """Give a person a role, for all of their accounts.

    Analyst and project lead of a project are not given: they follow from its permit. A committee member must also be on
    the roster that the root holders sign. Nobody who operates can be given a role that decides.

    Example: tq-coordinator user grant bob governance-officer:RX1
    """
    with reporting():
        base, held = opened(context), parse_held(role)
        refuse_clash(base, person, {held})
        if not base.store.roles.grant(person, held, wall_clock()):
            raise TrustQueryError("usage-invalid", problem=f"there is no person {person} with an account")
        say(f"{person} holds {held.text} from their next request on")
        roster = base.rosters.found()
        listed = {member.person for member in roster.committee} if roster is not None else set()
        if held.role is Role.COMMITTEE_MEMBER and person not in listed:
            say(f"it counts once the roster's committee lists {person}")
            say("next: tq-coordinator roster draft --committee FILE, and have it signed")
        else:
            say("next: tq-coordinator user list")


@app.command("revoke-role")
def revoke_role(context: typer.Context, person: Person, role: RoleText) -> None:
    """Take a role back, at once.

    Example: tq-coordinator user revoke-role bob governance-officer:RX1
    """
    with reporting():
        held = parse_held(role)
        if not opened(context).store.roles.revoke(person, held):
            raise TrustQueryError("usage-invalid", problem=f"{person} was not given {held.text}")
        say(f"{person} no longer holds {held.text}. next: tq-coordinator user list")


@app.command()
def deputise(
    context: typer.Context,
    deputy: Annotated[str, typer.Argument(help="The person who stands in.")],
    principal: Annotated[str, typer.Option("--for", help="The person whom they stand in for.")],
    end: Annotated[bool, typer.Option("--end", help="They no longer do.")] = False,
) -> None:
    """Record that one person stands in for another: what the other may not decide, the deputy may not either.

    It gives nothing by itself: give the deputy the role.

    Example: tq-coordinator user deputise bob --for ann
    """
    with reporting():
        roles = opened(context).store.roles
        if end:
            if not roles.end_deputy(deputy, principal):
                raise TrustQueryError("usage-invalid", problem=f"{deputy} does not stand in for {principal}")
            say(f"{deputy} no longer stands in for {principal}. next: tq-coordinator user list")
            return
        if not roles.deputise(deputy, principal):
            problem = f"{deputy} and {principal} must be two different people with accounts"
            raise TrustQueryError("usage-invalid", problem=problem)
        say(f"{deputy} stands in for {principal}. next: tq-coordinator user grant {deputy} ROLE, where they need one")

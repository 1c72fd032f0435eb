"""Headers, navigation and footers of the coordinator's pages."""

from __future__ import annotations

from coordinator.web.headers import APP
from trustquery.access import ACTIONS, Actor
from trustquery.web import Frame, Link

__all__ = ["NAVIGATION", "app_frame", "navigation", "passing_frame", "public_frame"]

_HELP = Link("Help and contact", "/public/help")
_RECORD = Link("Public record", "/public/")
_PHASE = "This is a new service. The help page says how to tell us what does not work."

PUBLIC = (
    Link("What this is", "/public/about"),
    Link("Projects", "/public/register"),
    Link("Uses of the data", "/public/queries"),
    Link("How privacy is protected", "/public/protection"),
    Link("Your choice", "/public/opt-out"),
    Link("The log", "/public/log"),
)
NAVIGATION: tuple[tuple[Link, str], ...] = ((Link("Your account", f"{APP}/"), "session.read"),)
"""What people who are signed in can go to, and the action that makes it theirs: a page's link is one row here."""


def navigation(actor: Actor) -> tuple[Link, ...]:
    """The links to what somebody may do, on one thing or another."""
    roles = {held.role for held in actor.held}
    return tuple(
        link for link, action in NAVIGATION if ACTIONS[action].open_to or roles.intersection(ACTIONS[action].allowed)
    )


def public_frame(federation: str, here: str = "") -> Frame:
    """Of the public record."""
    return Frame(
        service="TrustQuery public record",
        organisation=federation,
        home="/public/",
        navigation=PUBLIC,
        here=here,
        help=_HELP,
        footer=(Link("Sign in", f"{APP}/sign-in"),),
        closing="Nothing here needs a sign-in, and nothing here runs in your browser.",
    )


def passing_frame(federation: str = "") -> Frame:
    """Of pages on the way to a session."""
    return Frame(service="TrustQuery", organisation=federation, home="/public/", help=_HELP, footer=(_RECORD,))


def app_frame(federation: str, here: str, account: str, mark: str, actor: Actor) -> Frame:
    """Of the pages of somebody who is signed in.

    Args:
        account: their name.
        mark: of their session's forms.
    """
    return Frame(
        service="TrustQuery",
        organisation=federation,
        home=f"{APP}/",
        navigation=navigation(actor),
        here=here,
        account=account,
        mark=mark,
        sign_out=f"{APP}/sign-out",
        phase=_PHASE,
        help=_HELP,
        footer=(_RECORD,),
        scripts=True,
    )

"""Every page in every state that it can be in. A page of the application that has no row here fails the build.

To add a page: one ``Row`` for each of its states: empty and full, with an error, refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

__all__ = ["NO_PAGE", "ROWS", "Row"]


def _nothing(page: Page) -> None:
    pass


@dataclass(frozen=True)
class Row:
    """One page in one state.

    Attributes:
        route: as the application writes it.
        state: in words; with the route, the picture's name.
        path: where it is found, "" for the route itself.
        who: whose session; "" for nobody's.
        then: what is done on the page before it is looked at.
        status: what the page answers when it is opened.
    """

    route: str
    state: str
    path: str = ""
    who: str = ""
    then: Callable[[Page], object] = _nothing
    status: int = 200

    @property
    def address(self) -> str:
        """Where it is found."""
        return self.path or self.route

    @property
    def name(self) -> str:
        """Of its picture and its test."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.route} {self.state}").strip("-")


def _wrong_password(page: Page) -> None:
    page.goto(page.url.partition("/app/")[0] + "/app/sign-in")
    page.get_by_role("button", name="Sign in with a password and a code", exact=True).click()
    page.get_by_label("Sign-in name").fill("ada")
    page.get_by_label("Password").fill("not the password")
    page.get_by_label("Code of your authenticator app").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("There is a problem").wait_for()


def _sign_in_form(page: Page) -> None:
    page.get_by_role("button", name="Sign in with a password and a code", exact=True).click()
    page.get_by_label("Password").wait_for()


QUERY, PROJECT = "/public/queries/" + "ab" * 8, "/public/projects/stays"
ROWS: tuple[Row, ...] = (
    Row("/public/", "with uses"),
    Row("/public/help", "as it is"),
    Row("/public/about", "two trusts"),
    Row("/public/protection", "with numbers"),
    Row("/public/opt-out", "as it is"),
    Row("/public/log", "with entries"),
    Row("/public/log", "no such page", "/public/log?page=9999", status=404),
    Row("/public/log/verify", "as it is"),
    Row("/public/log/entries/{seq}", "an answer", "/public/log/entries/3"),
    Row("/public/log/entries/{seq}", "not there", "/public/log/entries/0", status=404),
    Row("/public/register", "two projects"),
    Row("/public/projects/{name}", "running", PROJECT),
    Row("/public/projects/{name}", "closed", "/public/projects/closed.one"),
    Row("/public/projects/{name}", "unknown", "/public/projects/none", status=404),
    Row("/public/promise", "with numbers"),
    Row("/public/inputs", "none"),
    Row("/public/queries", "with uses"),
    Row("/public/queries", "none found", "/public/queries?month=2020-01"),
    Row("/public/queries", "a filter that is none", "/public/queries?month=x", status=400),
    Row("/public/queries/{hash_}", "answered", "QUERY"),
    Row("/public/{rest:path}", "not there", "/public/nowhere", status=404),
    Row("/app/sign-in", "one provider"),
    Row("/app/signed-out", "as it is"),
    Row("/app/arrive", "without a code", status=401),
    Row("/app/", "an analyst", who="ada"),
    Row("/app/", "a committee member", who="ann"),
    Row("/signin/{flow}", "used before", "/signin/x", status=401),
    Row("/signin/back/{provider}", "not this browser's", "/signin/back/local?state=x", status=401),
    Row("/local/authorize", "empty", "/app/sign-in", then=_sign_in_form),
    Row("/local/authorize", "wrong password", "/app/sign-in", then=_wrong_password),
    Row("/local/authorize", "not this browser's", status=401),
    Row("/local/setup", "empty"),
)

NO_PAGE = {
    "/static/{version}/{name:path}": "files that pages load",
    "/public/log/verify_log.py": "a file",
    "/public/log/entries/{seq}/entry.json": "a file",
    "/public/log/entries/{seq}/entry.tlog-proof": "a file",
    "/public/log/checkpoint": "a text for programs",
    "/public/log/key": "a text for programs",
    "/public/log/tile/{path:path}": "bytes for programs",
    "/public/releases/{release}/crate.zip": "a file",
    "/public/register/crate.zip": "a file",
    "/local/.well-known/openid-configuration": "for programs",
    "/local/keys": "for programs",
}
"""GET routes below the pages' addresses that are none, and why."""

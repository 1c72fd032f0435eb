"""A signed-in connection for a command, and what a command asks of whoever sits at the terminal."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from trustquery.cli.output import data, say

if TYPE_CHECKING:
    from trustquery.client.config import ClientHome, ClientSettings
    from trustquery.client.connection import Connection
    from trustquery.client.http import Http

__all__ = ["connect", "show_address"]


def connect() -> Connection:
    """Connect with the sign-in kept in the home folder; at a terminal, offer to sign in again where it ran out."""
    from trustquery.client.config import find_home
    from trustquery.client.connection import Connection as Opened
    from trustquery.client.signin import Hands

    return Opened.open(find_home(), Hands(sign_in=_again if sys.stdin.isatty() else None, passphrase=_passphrase))


def _passphrase(path: Path) -> bytes:
    found: str = typer.prompt(f"Passphrase of {path}", hide_input=True, err=True)
    return found.encode()


def _again(home: ClientHome, settings: ClientSettings, http: Http, strong: bool) -> bool:
    from trustquery.client.browser import sign_in_by_browser

    why = "This takes a strong sign-in of the last minutes." if strong else "You are not signed in."
    if not typer.confirm(f"{why} Open the browser?", default=True, err=True):
        return False
    sign_in_by_browser(home, settings, http, show_address(browser=True), strong=strong)
    return True


def show_address(*, browser: bool) -> Callable[[str], None]:
    """How a person learns which address to open.

    Args:
        browser: open it for them; else, and where that fails, it is printed: on stdout where they asked for that.
    """

    def show(address: str) -> None:
        if not browser:
            say("open this address in a browser on this machine:")
            data(address)
        elif webbrowser.open(address):
            say("your browser is open: sign in there")
        else:
            say("no browser could be started: open this address in one on this machine:")
            say(address)

    return show

"""``tq login`` and ``tq logout``."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from trustquery.cli.connecting import show_address
from trustquery.cli.output import data, reporting, say
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from trustquery.client.config import ClientHome, ClientSettings

__all__ = ["login", "logout"]


def login(
    connect: Annotated[
        str,
        typer.Option(help="Connection code from the operator; needed the first time.", show_default=False),
    ] = "",
    user: Annotated[str, typer.Option(help="Your sign-in name; needed the first time.", show_default=False)] = "",
    key: Annotated[
        str,
        typer.Option(help="Your private key, if not in the home folder: a file, or keyring:NAME.", show_default=False),
    ] = "",
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Only make a key and print its public half for the operator.")
    ] = False,
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="With --new-key: ask for a passphrase, which encrypts the file.")
    ] = False,
    strong: Annotated[
        bool, typer.Option("--strong", help="Sign in strongly enough to approve, for the next five minutes.")
    ] = False,
    provider: Annotated[
        str,
        typer.Option(help="Which sign-in service, if there are several: cis2, entra, local.", show_default=False),
    ] = "",
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address on stdout; open it yourself, on this machine.")
    ] = False,
    key_challenge: Annotated[
        bool, typer.Option("--key-challenge", help="With --connect: sign in with the key alone, where that is allowed.")
    ] = False,
) -> None:
    """Sign in with your browser.

    First: tq login --new-key, and give the printed key to the operator. Then, once:

    Example: tq login --connect tqc1.… --user ada
    """
    with reporting():
        from trustquery.client.config import find_home

        home = find_home()
        if new_key:
            _new_key(home, key, passphrase=passphrase)
            return
        settings = _settings(home, connect, user, key, way="key" if key_challenge else "browser")
        expires = _sign_in(home, settings, strong=strong, provider=provider, browser=not no_browser)
        until = datetime.datetime.fromtimestamp(expires, datetime.UTC)
        say(f"signed in as {settings.user} until {until:%H:%M} UTC. next: tq project list")


def _new_key(home: ClientHome, key: str, *, passphrase: bool) -> None:
    from trustquery.cli.keys import ask_passphrase
    from trustquery.identity import SigningKey

    path = Path(key).expanduser().absolute() if key else home.default_key
    made = SigningKey.generate()
    made.save(path, ask_passphrase() if passphrase else None)
    data(made.public.hex())
    say(f"private key in {path}, readable by you alone. Give the public key above to the operator.")
    say("next, with the code that they give you: tq login --connect CODE --user NAME")


def _settings(home: ClientHome, connect: str, user: str, key: str, *, way: Literal["browser", "key"]) -> ClientSettings:
    if not connect:
        return home.settings()
    from trustquery.client.intent_keys import KEYRING
    from trustquery.client.signin import join
    from trustquery.protocol.enrolment import ConnectionCode

    if not user:
        raise TrustQueryError("usage-invalid", place="--user", problem="--connect needs --user")
    chosen = (
        key if key.startswith(KEYRING) else str(Path(key).expanduser().absolute()) if key else home.default_key.name
    )
    return join(home, ConnectionCode.parse(connect), user, chosen, way=way)


def _sign_in(home: ClientHome, settings: ClientSettings, *, strong: bool, provider: str, browser: bool) -> int:
    from trustquery.client.browser import sign_in_by_browser
    from trustquery.client.signin import open_http, sign_in

    with open_http(home, settings) as http:
        if settings.sign_in == "key":
            return sign_in(home, settings, http)
        show = show_address(browser=browser)
        return sign_in_by_browser(home, settings, http, show, strong=strong, provider=provider)


def logout() -> None:
    """End your session, here and at the coordinator.

    Example: tq logout
    """
    with reporting():
        from trustquery.client.config import find_home
        from trustquery.client.signin import sign_out

        home = find_home()
        ended = sign_out(home, home.settings())
        say("signed out. next: tq login" if ended else "you were not signed in. next: tq login")

"""``tq login``."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from trustquery.cli.output import data, reporting, say
from trustquery.errors import TrustQueryError

__all__ = ["login"]


def login(
    connect: Annotated[
        str,
        typer.Option(help="Connection code from the operator; needed the first time.", show_default=False),
    ] = "",
    user: Annotated[str, typer.Option(help="Your sign-in name; needed the first time.", show_default=False)] = "",
    key: Annotated[
        Path | None, typer.Option(help="Your private key, if it is not in the home folder.", show_default=False)
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Only make a key and print its public half for the operator.")
    ] = False,
) -> None:
    """Sign in by signing a challenge with your key.

    First: tq login --new-key, and give the printed key to the operator. Then, once:

    Example: tq login --connect tqc1.… --user ada
    """
    with reporting():
        from trustquery.client.config import find_home

        home = find_home()
        if new_key:
            from trustquery.identity import SigningKey

            path = key.expanduser().absolute() if key is not None else home.default_key
            made = SigningKey.generate()
            made.save(path)
            data(made.public.hex())
            say(f"private key in {path}, readable by you alone. Give the public key above to the operator.")
            return
        from trustquery.client.signin import join, open_http, sign_in

        if connect:
            from trustquery.protocol.enrolment import ConnectionCode

            if not user:
                raise TrustQueryError("usage-invalid", place="--user", problem="--connect needs --user")
            chosen = str(key.expanduser().absolute()) if key is not None else home.default_key.name
            settings = join(home, ConnectionCode.parse(connect), user, chosen)
        else:
            settings = home.settings()
        with open_http(home, settings) as http:
            expires = datetime.datetime.fromtimestamp(sign_in(home, settings, http), datetime.UTC)
        say(f"signed in as {settings.user} until {expires:%H:%M} UTC. next: tq project list")

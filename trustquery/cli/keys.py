"""``tq key``: a personal signing key in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trustquery.cli.output import data, reporting, say
from trustquery.cli.signing import load_key
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from trustquery.identity import SigningKey

__all__ = ["app", "ask_passphrase", "make_key"]

app = typer.Typer(help="Personal signing keys of committee members and governance people.", no_args_is_help=True)


Paths = Annotated[
    list[Path] | None, typer.Argument(help="Where to keep the private key; give several for several keys.")
]


SHORTEST_PASSPHRASE = 12


def make_key(place: Path, passphrase: bytes | None) -> SigningKey:
    """A new key in a file that only its owner can read."""
    from trustquery.identity import SigningKey

    key = SigningKey.generate()
    key.save(place, passphrase)
    say(f"private key in {place}, readable by you alone; key id {key.key_id}")
    return key


def ask_passphrase() -> bytes:
    """A new passphrase, typed twice.

    Raises:
        TrustQueryError: ``usage-invalid``: it is too short.
    """
    found: str = typer.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True)
    if len(found) < SHORTEST_PASSPHRASE:
        problem = f"a passphrase has at least {SHORTEST_PASSPHRASE} characters: four words that you do not say together"
        raise TrustQueryError("usage-invalid", place="passphrase", problem=problem)
    return found.encode()


@app.command()
def new(
    path: Paths = None,
    keyring: Annotated[
        str, typer.Option(help="Keep it in this machine's keyring under this name, and in no file.", show_default=False)
    ] = "",
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Ask for a passphrase, which encrypts the file.")
    ] = False,
) -> None:
    """Make a personal Ed25519 key; print its public half on stdout.

    Example: tq key new ~/keys/casey.pem --passphrase
    """
    with reporting():
        if bool(path) == bool(keyring) or (keyring and passphrase):
            problem = "give files, with --passphrase or without, or --keyring NAME"
            raise TrustQueryError("usage-invalid", place="--keyring", problem=problem)
        if keyring:
            from trustquery.client.intent_keys import new_in_keyring

            data(new_in_keyring(keyring).public.hex())
            say("private key in this machine's keyring, and nowhere else")
            say(f"next: tq login --connect CODE --user NAME --key keyring:{keyring}")
            return
        secret = ask_passphrase() if passphrase else None
        for place in path or ():
            data(make_key(place, secret).public.hex())


@app.command()
def show(path: Annotated[Path, typer.Argument(help="The private key's file.")]) -> None:
    """Print the public half of a key.

    Example: tq key show ~/keys/casey.pem
    """
    with reporting():
        key = load_key(path)
        data(key.public.hex())
        say(f"key id {key.key_id}")

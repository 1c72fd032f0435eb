"""``tq policy``: what a trust answers, checked and signed by its governance people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trustquery.cli.output import reporting, say
from trustquery.cli.policy_tools import add_to
from trustquery.cli.signing import read_bytes, sign_document, sign_file

if TYPE_CHECKING:
    from trustquery.policy import Policy

__all__ = ["app"]

app = typer.Typer(help="A trust's policy: see what it would do, sign it.", no_args_is_help=True)


def _read(path: Path) -> Policy:
    from trustquery.errors import TrustQueryError
    from trustquery.policy import Policy

    try:
        text = read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise TrustQueryError("policy-invalid", str(path), problem="it is not UTF-8 text") from error
    return Policy.from_toml(text, name=path.name)


add_to(app, "tq")


@app.command()
def sign(
    policy: Annotated[Path, typer.Argument(help="policy.toml, or an envelope that a colleague has signed.")],
    key: Annotated[list[Path], typer.Option(help="A governance person's key; may be given several times.")],
    out: Annotated[Path | None, typer.Option(help="Where the envelope goes; else the same name with .dsse.")] = None,
) -> None:
    """Read a policy out, add signatures, write the envelope.

    Example: tq policy sign policy.toml --key ~/keys/grace.pem
    """
    with reporting():
        if policy.suffix == ".toml":
            found = _read(policy)
            sign_document(found, key, out if out is not None else policy.with_suffix(".dsse"))
        else:
            from trustquery.policy import Policy

            sign_file(policy, key, out, (Policy,))
        say("next, once two people have signed: tq-node policy activate FILE")

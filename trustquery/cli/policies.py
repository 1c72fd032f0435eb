"""``tq policy``: what a trust answers, checked and signed by its governance people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trustquery.cli.output import reporting, say
from trustquery.cli.policy_tools import add_to
from trustquery.cli.signing import read_policy, sign_policy

__all__ = ["app"]

app = typer.Typer(help="A trust's policy: see what it would do, sign it.", no_args_is_help=True)


add_to(app, "tq")


@app.command()
def sign(
    policy: Annotated[Path, typer.Argument(help="policy.toml, or an envelope that a colleague has signed.")],
    key: Annotated[list[Path], typer.Option(help="A governance person's key; may be given several times.")],
    out: Annotated[Path | None, typer.Option(help="Where the envelope goes; else the same name with .dsse.")] = None,
    in_force: Annotated[
        Path | None, typer.Option(help="The policy in force (.toml or .dsse): shows what yours changes.")
    ] = None,
) -> None:
    """Read a policy out, show what it changes, add signatures, write the envelope. Each person may do it at home.

    The first makes FILE.dsse; the next signs that file. A change that only tightens takes one person, any other two.

    Example: tq policy sign policy.toml --key ~/keys/grace.pem --in-force policy-1.dsse
    """
    with reporting():
        old = read_policy(in_force)[0] if in_force is not None else None
        written = sign_policy(policy, key, out, old)
        say(f"next: a second person runs `tq policy sign {written} --key …`; then tq-node policy activate {written}")

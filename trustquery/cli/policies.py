"""``tq policy``: what a trust answers, checked and signed by its governance people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trustquery.cli.output import reporting, say
from trustquery.cli.signing import read_bytes, read_policy, sign_policy

if TYPE_CHECKING:
    from trustquery.policy import Policy

__all__ = ["app"]

app = typer.Typer(help="A trust's policy: check it, sign it.", no_args_is_help=True)

PolicyFile = Annotated[Path, typer.Argument(help="policy.toml.")]


def _read(path: Path) -> Policy:
    from trustquery.errors import TrustQueryError
    from trustquery.policy import Policy

    try:
        text = read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise TrustQueryError("policy-invalid", str(path), problem="it is not UTF-8 text") from error
    return Policy.from_toml(text, name=path.name)


@app.command()
def check(policy: PolicyFile) -> None:
    """Read a policy, report everything that is wrong with it, and say what its caps promise a patient.

    Example: tq policy check policy.toml
    """
    with reporting():
        from trustquery.policy.promised import in_words

        found = _read(policy)
        for line in in_words(found):
            say(line)
        say(f"policy version {found.version} of {found.trust} is in order. next: tq policy sign {policy}")


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

"""``tq federation``: for root holders, on an offline machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trustquery.cli.output import data, reporting, say
from trustquery.cli.signing import sign_file, write_new
from trustquery.errors import TrustQueryError

__all__ = ["app"]

app = typer.Typer(help="The federation's root: made and used by its holders, offline.", no_args_is_help=True)


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The federation's name.")],
    out: Annotated[Path, typer.Option(help="Where root.json goes.")],
    holder: Annotated[list[Path], typer.Option(help="One folder for each root holder; give it three times.")],
    threshold: Annotated[int, typer.Option(min=1, help="How many of them must sign.")] = 2,
) -> None:
    """Make the root: one key for each holder, and root.json, which is public.

    Example: tq federation init demo --out root.json --holder /media/a --holder /media/b --holder /media/c
    """
    with reporting():
        from pydantic import ValidationError

        from trustquery.identity import Root, SigningKey

        if out.exists():
            raise TrustQueryError("config-exists", path=out)
        keys = [SigningKey.generate() for _ in holder]
        try:
            root = Root(federation=name, keys=tuple(key.public.hex() for key in keys), threshold=threshold)
        except ValidationError as error:
            raise TrustQueryError(
                "usage-invalid", problem="a federation has a plain name and at least as many holders as the threshold"
            ) from error
        for folder, key in zip(holder, keys, strict=True):
            key.save(folder / "root.key.pem")
            say(f"{folder}: key {key.key_id[:16]}…")
        write_new(out, root.payload())
        data(root.sha256)
        say(f"root fingerprint above: it goes to every trust by another way than {out}")
        say(f"{threshold} of {len(keys)} holders sign each roster. next: tq-coordinator init --root {out}")


@app.command()
def sign(
    document: Annotated[Path, typer.Argument(help="A roster or revocation statement: JSON, or part-signed.")],
    key: Annotated[list[Path], typer.Option(help="A root key; may be given several times.")],
    out: Annotated[Path | None, typer.Option(help="Where the envelope goes; else the same name with .dsse.")] = None,
) -> None:
    """Read a document out, add root signatures, write the envelope.

    Example: tq federation sign roster.json --key /media/a/root.key.pem
    """
    with reporting():
        from trustquery.identity import Revocations, Roster

        sign_file(document, key, out, (Roster, Revocations))


@app.command()
def show(root: Annotated[Path, typer.Argument(help="root.json.")]) -> None:
    """Print a root's fingerprint.

    Example: tq federation show root.json
    """
    with reporting():
        from trustquery.cli.signing import read_bytes
        from trustquery.identity import Root

        found = Root.from_payload(read_bytes(root))
        data(found.sha256)
        say(f"federation {found.federation}: {found.threshold} of {len(found.keys)} root keys sign")

"""Command line of the generator: ``python -m trustquery.synthetic --episodes 20000 --trusts RX1,RX2 --seed 7 data``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from trustquery.errors import TrustQueryError
from trustquery.synthetic.generator import generate

app = typer.Typer(add_completion=False)


@app.command()
def main(
    destination: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to fill: OUT/TRUST/TABLE.parquet.")],
    episodes: Annotated[int, typer.Option(help="Admissions over all trusts. About a fifth as many patients.")] = 20_000,
    trusts: Annotated[str, typer.Option(help="Trust codes, separated by commas.")] = "RX1,RX2,RX3,RX4",
    seed: Annotated[int, typer.Option(help="The same seed and sizes give the same bytes.")] = 7,
) -> None:
    """Make up hospital data for several trusts.

    Writes the thirteen tables of the catalogue nhs-episodes (the patients, their admissions, wards, diagnoses,
    procedures, A&E, outpatients, waiting lists, cancer waits, tests, medicines, vaccinations, deaths) for each trust.

    A fifth of the patients are seen at two trusts or more: same NHS number, different local number. NHS numbers are
    from the range kept for tests. A few values are missing, unknown or impossible, as they are in hospitals.

    Try 20,000 admissions first (a second or two); a million takes well under half a minute. Point a node at a trust's
    folder with `tq-node source add`. Progress goes to stderr, a JSON summary to stdout.
    """
    try:
        summary = generate(
            destination,
            seed=seed,
            episodes=episodes,
            trusts=[code.strip() for code in trusts.split(",")],
            progress=_show,
        )
    except TrustQueryError as error:
        for problem in error.problems:
            _say(f"{problem}\n  fix: {problem.fix}\n", err=True)
        raise typer.Exit(error.exit_status) from error
    _say("\n", err=True)
    _say(
        json.dumps(
            {
                "format": "trustquery-synthetic/1",
                "seed": summary.seed,
                "episodes": summary.episodes,
                "people": summary.people,
                "people_elsewhere": summary.people_elsewhere,
                "rows": {trust: dict(tables) for trust, tables in summary.rows.items()},
            }
        )
        + "\n"
    )


def _show(label: str, share: float) -> None:
    _say(f"\r{share:4.0%} {label:<40}", err=True)


def _say(text: str, *, err: bool = False) -> None:
    typer.echo(text, nl=False, err=err)  # rules: allow print - this module is a command line


if __name__ == "__main__":
    app()

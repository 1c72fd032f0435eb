"""``config init``, ``people``, ``check`` and ``show``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from node_agent.cli.making import PERSON, SOURCE, make_home, people_from, save_people
from node_agent.cli.opening import home_of
from node_agent.cli.output import Format, FormatOption, reporting, say
from trustquery.errors import TrustQueryError

__all__ = ["app"]

app = typer.Typer(help="The settings of this node: make, check, show.", no_args_is_help=True)


@app.command()
def init(
    context: typer.Context,
    ods: Annotated[str, typer.Option(help="The trust's ODS code, such as RX1.")],
    name: Annotated[str, typer.Option(help="The trust's name in words.")],
    governance: Annotated[
        list[str],
        typer.Option(
            metavar=PERSON,
            help="A governance person, their name and public key (`tq key new` prints it); give at least two.",
        ),
    ],
    source: Annotated[list[str] | None, typer.Option(metavar=SOURCE, help="Where a dataset's files are.")] = None,
) -> None:
    """Make the home folder: node.toml, and the list of people who decide for this trust.

    Example: tq-node config init --ods RX1 --name "Northern General" --governance alice:"Dr Alice Ash":KEY
    --governance bob:"Bob Birch":KEY --source omop-5.4:csv:/srv/omop
    """
    with reporting("config init"):
        make_home(home_of(context), ods, name, governance, source or [])
        say("next: read node.toml, then `tq-node enrol CODE --root-fingerprint PRINT`")


@app.command()
def people(
    context: typer.Context,
    person: Annotated[list[str], typer.Argument(metavar=PERSON, help="What `tq-node keys init` printed; two or more.")],
) -> None:
    """Name the first people who decide for this trust, where the home was made without them. It works once.

    Later changes are signed by the people of the list: `tq-node keys add`.

    Example: tq-node config people alice:"Dr Alice Ash":KEY bob:"Bob Birch":KEY
    """
    with reporting("config people"):
        save_people(home_of(context), people_from(person))
        say("next: tq-node keys people, and compare its print with each of them")


@app.command()
def check(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="A node.toml; else the one in the home folder.")] = None,
) -> None:
    """Read node.toml and report everything that is wrong with it.

    Example: tq-node config check
    """
    with reporting("config check"):
        from node_agent.cli.opening import read_file
        from node_agent.config import load_config, parse_config
        from trustquery.catalogue import load

        home = home_of(context)
        config = parse_config(read_file(file).decode("utf-8", "replace")) if file else load_config(home)
        for item in config.sources:
            load(item.dataset)
            if not home.resolve(item.path).is_dir():
                raise TrustQueryError("data-source-missing", place=item.path, source=item.dataset)
        say(f"the settings of {config.node.name} are in order. next: tq-node source check")


@app.command()
def show(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """Show every setting in force, defaults included.

    Example: tq-node config show --format json
    """
    with reporting("config show", form) as reply:
        from node_agent.config import load_config

        home = home_of(context)
        config = load_config(home).model_dump(mode="json")
        text = home.config_file.read_text(encoding="utf-8")
        rows = []
        for section, values in config.items():
            for key, value in values.items() if isinstance(values, dict) else [("", values)]:
                given = key in text if key else True
                name = f"{section}.{key}" if key else section
                rows.append({"key": name, "value": value, "from": "node.toml" if given else "default"})
        reply.rows(rows, {"key": "Key", "value": "Value", "from": "From"})

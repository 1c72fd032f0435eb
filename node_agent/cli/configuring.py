"""``config init``, ``check`` and ``show``."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from node_agent.cli.opening import home_of
from node_agent.cli.output import Format, FormatOption, reporting, say
from trustquery.errors import TrustQueryError

__all__ = ["app"]

app = typer.Typer(help="The settings of this node: make, check, show.", no_args_is_help=True)

_PERSON = "PERSON:NAME:KEY"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _sample(ods: str, name: str, sources: list[str]) -> str:
    """The annotated sample with this trust's values in place of the example's."""
    text = (resources.files("node_agent") / "node.sample.toml").read_text(encoding="utf-8")
    before, mark, _ = text.partition("\n[[source]]\n")
    before = before.replace('ods = "RXX"  ', f"ods = {_quoted(ods)}  ")
    before = before.replace('name = "Example NHS Trust"', f"name = {_quoted(name)}")
    blocks = []
    for source in sources:
        dataset, _, rest = source.partition(":")
        form, _, path = rest.partition(":")
        if not (dataset and form and path):
            raise TrustQueryError("usage-invalid", place="--source", problem="a source is DATASET:FORMAT:FOLDER")
        folder = str(Path(path).expanduser().absolute())
        blocks.append(f"{mark}dataset = {_quoted(dataset)}\nformat = {_quoted(form)}\npath = {_quoted(folder)}\n")
    return before + "".join(blocks)


@app.command()
def init(
    context: typer.Context,
    ods: Annotated[str, typer.Option(help="The trust's ODS code, such as RX1.")],
    name: Annotated[str, typer.Option(help="The trust's name in words.")],
    governance: Annotated[
        list[str],
        typer.Option(
            metavar=_PERSON,
            help="A governance person, their name and public key (`tq key new` prints it); give at least two.",
        ),
    ],
    source: Annotated[
        list[str] | None, typer.Option(metavar="DATASET:FORMAT:FOLDER", help="Where a dataset's files are.")
    ] = None,
) -> None:
    """Make the home folder: node.toml, and the list of people who decide for this trust.

    Example: tq-node config init --ods RX1 --name "Northern General" --governance alice:"Dr Alice Ash":KEY
    --governance bob:"Bob Birch":KEY --source omop-5.4:csv:/srv/omop
    """
    with reporting("config init"):
        from node_agent.config import parse_config
        from node_agent.policy_store.governance import save_governance
        from trustquery.identity import GovernanceList

        home = home_of(context)
        if home.config_file.exists():
            raise TrustQueryError("config-exists", path=home.config_file)
        people = []
        for text in governance:
            person, _, rest = text.partition(":")
            words, _, key = rest.rpartition(":")
            people.append({"person": person, "name": words, "key": key.lower()})
        try:
            listed = GovernanceList.model_validate_json(
                json.dumps({"format": "tq-governance-1", "people": people, "threshold": 2})
            )
        except ValueError as error:
            raise TrustQueryError(
                "usage-invalid",
                place="--governance",
                problem=f"give at least two different people as {_PERSON}, the key as 64 hexadecimal digits",
            ) from error
        text = _sample(ods, name, source or [])
        parse_config(text)
        home.create()
        save_governance(home.startup / "governance.json", listed)
        home.config_file.write_text(text, encoding="utf-8")
        say(f"made {home.path}")
        say("people whose signatures count here: " + ", ".join(person.name for person in listed.people))
        say("next: read node.toml, then `tq-node enrol CODE --root-fingerprint PRINT`")


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
        text = home.config_file.read_text(encoding="utf-8") if home.config_file.exists() else ""
        config = load_config(home).model_dump(mode="json")
        rows = []
        for section, values in config.items():
            for key, value in values.items() if isinstance(values, dict) else [("", values)]:
                given = key in text if key else True
                name = f"{section}.{key}" if key else section
                rows.append({"key": name, "value": value, "from": "node.toml" if given else "default"})
        reply.rows(rows, {"key": "Key", "value": "Value", "from": "From"})

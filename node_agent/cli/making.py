"""Making a node's home: its settings and the first list of people who decide, from options or asked at a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from node_agent.cli.output import say
from node_agent.config import Home
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from trustquery.identity import GovernanceList

__all__ = ["PERSON", "SOURCE", "ask_settings", "make_home", "people_from", "save_people"]

PERSON = "PERSON:NAME:KEY"
SOURCE = "DATASET:FORMAT:FOLDER"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _sample(ods: str, name: str, sources: Sequence[str]) -> str:
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
            raise TrustQueryError("usage-invalid", place="--source", problem=f"a source is {SOURCE}")
        folder = str(Path(path).expanduser().absolute())
        blocks.append(f"{mark}dataset = {_quoted(dataset)}\nformat = {_quoted(form)}\npath = {_quoted(folder)}\n")
    return before + "".join(blocks)


def people_from(texts: Sequence[str]) -> GovernanceList:
    """The first list of people from what they gave.

    Raises:
        TrustQueryError: ``usage-invalid``.
    """
    from trustquery.identity import GovernanceList

    people = []
    for text in texts:
        person, _, rest = text.partition(":")
        words, _, key = rest.rpartition(":")
        people.append({"person": person, "name": words, "key": key.lower()})
    try:
        return GovernanceList.model_validate_json(
            json.dumps({"format": "tq-governance-1", "people": people, "threshold": 2})
        )
    except ValueError as error:
        problem = f"give at least two different people as {PERSON}, the key as 64 hexadecimal digits"
        raise TrustQueryError("usage-invalid", place="--governance", problem=problem) from error


def save_people(home: Home, listed: GovernanceList) -> None:
    """Write the first list, once.

    Raises:
        TrustQueryError: ``config-exists``.
    """
    from node_agent.policy_store.governance import save_governance

    home.create()
    save_governance(home.startup / "governance.json", listed)
    say("people whose signatures count here: " + ", ".join(person.name for person in listed.people))


def make_home(home: Home, ods: str, name: str, governance: Sequence[str], sources: Sequence[str]) -> None:
    """Make ``node.toml``, and the list of people where there are any yet. All is checked before anything is written.

    Raises:
        TrustQueryError: ``config-exists``, ``config-invalid``, ``usage-invalid``.
    """
    from node_agent.config import parse_config

    if home.config_file.exists():
        raise TrustQueryError("config-exists", path=home.config_file)
    listed = people_from(governance) if governance else None
    text = _sample(ods, name, sources)
    parse_config(text)
    home.create()
    if listed is not None:
        save_people(home, listed)
    home.config_file.write_text(text, encoding="utf-8")
    say(f"made {home.path}")


def ask_settings(
    ods: str, name: str, governance: Sequence[str], sources: Sequence[str]
) -> tuple[str, list[str], list[str]]:
    """Ask at a terminal for what no option gave; elsewhere take what there is. Whatever is left out can come later."""
    people, folders = list(governance), list(sources)
    if not sys.stdin.isatty():
        return name or ods, people, folders
    say(f"this machine has no settings yet: three questions about {ods}, and each but the first can wait")
    name = name or typer.prompt("The trust's name in words", default=ods, err=True)
    while not people or len(people) == 1:
        text = typer.prompt(
            f"A person who decides, as {PERSON} (empty: later)", default="", show_default=False, err=True
        )
        if not text:
            people = []
            break
        people.append(text)
    if not folders:
        text = _asked(f"Where data are, as {SOURCE}")
        folders = [text] if text else []
    return name, people, folders


def _asked(question: str) -> str:
    found: str = typer.prompt(f"{question} (empty: later)", default="", show_default=False, err=True)
    return found

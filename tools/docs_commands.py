"""Reference pages of the programs' commands."""

import importlib
import inspect
from collections.abc import Iterable
from typing import Any

from tools.docs_markdown import code, fence, join, table

PROGRAMS = {
    "tq": ("trustquery.cli.main", "analysts, governance, root holders"),
    "tq-node": ("node_agent.cli.main", "trust IT, governance"),
    "tq-coordinator": ("coordinator.cli.main", "federation operators"),
    "tq-witness": ("witness.cli.main", "whoever runs a witness"),
}
HIDDEN = ("--help", "--install-completion", "--show-completion")


def leaves(command: Any, name: str) -> Iterable[tuple[str, Any]]:
    """Full name and command of every leaf below a Typer command, in the order in which they were added."""
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for word, child in below.items():
        yield from leaves(child, f"{name} {word}")


def _options(command: Any, context: Any) -> list[list[str]]:
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and not any(option in HIDDEN for option in parameter.opts):
            rows.append([code(" ".join(record[0].split())), " ".join(record[1].split())])
    return rows


def _help(command: Any) -> list[str]:
    parts = []
    for block in inspect.cleandoc(command.help or "").split("\f")[0].replace("``", "`").split("\n\n"):
        words = " ".join(block.split())
        if words.startswith("Example:"):
            parts.append(fence(words.removeprefix("Example:").strip(), "sh"))
        else:
            parts.append(words)
    return parts


def commands(module: str, program: str) -> str:
    """Every command of one program."""
    import typer.main

    root: Any = typer.main.get_command(importlib.import_module(module).app)
    context_type = root.context_class
    parts = [*_help(root), "stdout is data, stderr is for people. See [exit codes](errors.md#exit-codes)."]
    shared = _options(root, context_type(root, info_name=program))
    if shared:
        parts += [
            f"These come before the command: `{program} OPTION … COMMAND …`.",
            table(["Option", "Meaning"], shared),
        ]
    found = list(leaves(root, program))
    parts += ["## Commands", "\n".join(f"- [`{name}`](#{name.replace(' ', '-')})" for name, _ in found)]
    for name, command in found:
        context = context_type(command, info_name=name)
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        parts += [f"## {name}", fence(usage), *_help(command)]
        rows = _options(command, context)
        if rows:
            parts.append(table(["Argument or option", "Meaning"], rows))
    return join(*parts)

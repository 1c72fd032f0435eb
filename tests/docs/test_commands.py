"""Every command that a page shows exists, with these arguments and options; every make target too."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests.docs.pages import ROOT, fences, name, unfenced, written
from tools.docs_commands import PROGRAMS, leaves

PROGRAM_WORDS = (
    *PROGRAMS,
    "make",
    "python",
    "cp",
    "export",
    "cd",
    "git",
    "apt-get",
    "sudo",
    "echo",
    ".venv/bin/python",
)


def roots() -> dict[str, Any]:
    return {
        program: typer.main.get_command(importlib.import_module(module).app)
        for program, (module, _) in PROGRAMS.items()
    }


ROOTS = roots()
TARGETS = set(re.findall(r"^([a-z-]+):.*?## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def lines() -> list[tuple[str, str]]:
    found = []
    for page in written():
        for fence in fences(page):
            if fence.language in ("sh", "bash", "console"):
                text = fence.text.replace("\\\n", " ")
                found += [(f"{name(page)}:{fence.line}", line.strip()) for line in text.splitlines() if line.strip()]
    return found


def simple_commands(line: str) -> list[list[str]]:
    """The words of each command of a line; redirections and comments go."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    skip = False
    for word in lexer:
        if skip:
            skip = False
        elif set(word) <= set("&|;"):
            commands.append([])
        elif set(word) <= set("<>"):
            skip = True
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def check_typer(words: list[str]) -> None:
    """Parse the words as the program would; nothing runs."""
    command, path, rest = ROOTS[words[0]], words[0], words[1:]
    while hasattr(command, "commands"):
        options = {option: parameter for parameter in command.params for option in parameter.opts}
        while rest and rest[0] in options:
            rest = rest[2:]
        assert rest, f"{path}: say which command"
        assert rest[0] in command.commands, f"{path} has no command {rest[0]}"
        command, path, rest = command.commands[rest[0]], f"{path} {rest[0]}", rest[1:]
    command.make_context(path, list(rest))


@pytest.mark.parametrize(("place", "line"), lines(), ids=lambda text: text[:60])
def test_command_of_a_page(place: str, line: str) -> None:
    for words in simple_commands(line):
        program = words[0]
        assert program in PROGRAM_WORDS, f"{place}: {program} is not a command that pages may show"
        if program in ROOTS:
            check_typer(words)
        elif program == "make":
            assert words[1] in TARGETS, f"{place}: make has no target {words[1]}"
        elif words[1:3] == ["-m", "demo"]:
            assert set(words[3:]) <= {"--keep", "--stop"}, place
        elif program == "cp":
            assert (ROOT / words[1]).exists(), place


@pytest.mark.parametrize("page", written(), ids=name)
def test_commands_named_in_a_sentence_exist(page: Path) -> None:
    known = {program: {path for path, _ in leaves(root, program)} for program, root in ROOTS.items()}
    text = unfenced(page.read_text(encoding="utf-8"))
    for quoted in re.findall(r"`((?:tq|tq-node|tq-coordinator) [a-z][^`\n]*)`", text):
        words = [word for word in quoted.split() if re.fullmatch(r"[a-z][a-z-]*", word)]
        paths = known[words[0]]
        assert any(" ".join(words[:length]) in paths for length in (2, 3)) or any(
            path.startswith(" ".join(words) + " ") for path in paths
        ), quoted


def test_a_wrong_command_would_be_noticed() -> None:
    import click
    from typer import _click

    assert simple_commands('tq a "b c" > x || echo "d $?"') == [["tq", "a", "b c"], ["echo", "d $?"]]
    with pytest.raises(AssertionError, match="no command nonsense"):
        check_typer(["tq", "query", "nonsense"])
    with pytest.raises((click.UsageError, _click.exceptions.UsageError)):
        check_typer(["tq", "query", "run", "--no-such-option", "x"])

"""The catalogue and the source agree: every code raised is listed with the fields it is given, every row is used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from trustquery.errors import CATALOGUE, Exit

ROOT = Path(__file__).parents[3]
CODE = re.compile(rf"({'|'.join(sorted({code.split('-')[0] for code in CATALOGUE}))})-[a-z0-9-]+")

NO_CODES = {
    "node-wide",
    "node-cut",
    "node-connected",
    "node-disconnected",
    "node-frozen",
    "query-accepted",
    "query-closed",
}
"""A budget scope and the names of log events, which look like codes."""

NOT_YET = {
    "query-refused-everywhere": "a result of refusals only is reported with each trust's reason",
}
"""Codes that nothing raises so far, and what will."""

RAISERS = {"TrustQueryError", "Problem", "add", "refuse", "report", "cls"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for package in ("trustquery", "coordinator", "node_agent", "witness"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name != "trustquery/errors/catalogue.py" and not name.startswith("trustquery/v1/"):
                yield name, ast.parse(path.read_text())


def literal(node: ast.AST) -> str:
    """A string literal that looks like a code, or ""."""
    return (
        node.value
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
        else ""
    )


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


TREES = list(trees())
LITERALS = [(name, code) for name, tree in TREES for node in ast.walk(tree) if (code := literal(node))]
CALLS = [
    (f"{name}:{node.lineno}", node, code)
    for name, tree in TREES
    for node in ast.walk(tree)
    if isinstance(node, ast.Call) and called(node) in RAISERS and node.args and (code := literal(node.args[0]))
]


def test_every_code_in_the_source_is_in_the_catalogue() -> None:
    assert len(CALLS) > 200
    assert [found for found in LITERALS if found[1] not in CATALOGUE and found[1] not in NO_CODES] == []
    assert not NO_CODES & set(CATALOGUE)


def test_every_code_in_the_catalogue_is_used_or_says_what_will_use_it() -> None:
    assert set(CATALOGUE) - {code for _, code in LITERALS} == set(NOT_YET)


def test_errors_are_given_exactly_their_fields() -> None:
    wrong = []
    for where, node, code in CALLS:
        given = {word.arg for word in node.keywords}
        data = next((word.value for word in node.keywords if word.arg == "fields"), None)
        if called(node) in ("Problem", "cls"):
            data = data or (node.args[2] if len(node.args) > 2 else ast.Dict([], []))
            if not isinstance(data, ast.Dict) or None in data.keys:
                continue
            given = {key.value if isinstance(key, ast.Constant) else None for key in data.keys}  # type: ignore[misc]
        if None not in given and given - {"place"} != CATALOGUE[code].fields:
            wrong.append((where, code, given))
    assert wrong == []


def test_the_exit_statuses_are_the_style_guides() -> None:
    assert {status.name: status.value for status in Exit} == {
        "DONE": 0,
        "INTERNAL": 1,
        "USAGE": 2,
        "CHECK_FOUND_PROBLEMS": 3,
        "QUERY": 10,
        "DATA": 11,
        "POLICY": 12,
        "EXPECTATION": 13,
        "TIMEOUT": 14,
        "BUDGET": 20,
        "CONFIG": 30,
        "AUTH": 31,
        "CONNECTION": 32,
        "LEDGER": 40,
    }


FAMILIES = {
    "query": Exit.QUERY, "policy": Exit.POLICY, "budget": Exit.BUDGET, "data": Exit.DATA, "node": Exit.CONNECTION,
    "optout": Exit.DATA,
    "config": Exit.CONFIG, "auth": Exit.AUTH, "ledger": Exit.LEDGER, "internal": Exit.INTERNAL,
    "project": Exit.POLICY, "usage": Exit.USAGE, "expectation": Exit.EXPECTATION,
    "witness": Exit.LEDGER, "log": Exit.CHECK_FOUND_PROBLEMS,
}  # fmt: skip
OTHERWISE = {
    "query-not-confirmed": Exit.USAGE,
    "query-max-epsilon": Exit.BUDGET,
    "query-no-answer": Exit.TIMEOUT,
    "query-in-review": Exit.TIMEOUT,
    "query-returned": Exit.POLICY,
    "query-review-unset": Exit.CONFIG,
    "query-too-few-trusts": Exit.TIMEOUT,
    "query-too-few-accept": Exit.CONNECTION,
    "query-refused-everywhere": Exit.POLICY,
    "policy-invalid": Exit.CONFIG,
    "policy-replay-differs": Exit.CHECK_FOUND_PROBLEMS,
    "policy-unknown-key": Exit.CONFIG,
    "policy-request-invalid": Exit.CONFIG,
    "policy-case-invalid": Exit.CONFIG,
    "policy-case-unknown-key": Exit.CONFIG,
    "policy-request-unknown-key": Exit.CONFIG,
    "node-code-invalid": Exit.AUTH,
    "node-fingerprint": Exit.AUTH,
    "node-not-approved": Exit.AUTH,
    "node-one-person": Exit.AUTH,
    "node-clone-suspected": Exit.AUTH,
    "node-engine-isolation": Exit.CONFIG,
    "log-key": Exit.USAGE,
    "log-unreachable": Exit.CONNECTION,
    "log-unwritable": Exit.LEDGER,
    "log-behind": Exit.LEDGER,
    "log-repair-refused": Exit.LEDGER,
}


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_a_row_is_whole(code: str) -> None:
    entry = CATALOGUE[code]
    assert CODE.fullmatch(code)
    assert entry.code == code
    assert entry.exit == OTHERWISE.get(code, FAMILIES[code.split("-")[0]])
    assert 400 <= entry.http < 600
    assert entry.text.strip()
    assert entry.hint.strip()
    words = dict.fromkeys(entry.fields, "x")
    assert "{" not in entry.text.format(**words) + entry.hint.format(**words)

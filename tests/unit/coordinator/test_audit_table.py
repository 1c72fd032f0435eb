"""AUD-06: nothing that the database keeps is left out of the log by oversight."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

from coordinator.queries.machine import VALID_TRANSITIONS, State
from coordinator.store import auditing
from coordinator.store.auditing import SILENT, TABLE
from coordinator.store.models import Base
from trustquery.access import ACTIONS
from trustquery.identity import Answer
from trustquery.log import TEXTS
from trustquery.projects.decisions import Verdict

ROOT = Path(__file__).parents[3]


def noted(*folders: str) -> set[tuple[str, bool]]:
    """Every literal action that the source writes into a project's record, and whether it is public."""
    found = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or len(node.args) != 3 or not isinstance(node.args[0], ast.Constant):
                continue
            if isinstance(node.func, ast.Attribute) and node.func.attr == "note":
                public = [word.value for word in node.keywords if word.arg == "public"]
                both = {True, False} if public and not isinstance(public[0], ast.Constant) else {not public}
                found |= {(str(node.args[0].value), each) for each in both}
    return found


@pytest.mark.acceptance("AUD-06")
def test_every_table_is_in_the_log_or_says_why_not() -> None:
    known = {mapper.class_ for mapper in Base.registry.mappers}
    assert set(TABLE) | set(SILENT) == known
    assert not set(TABLE) & set(SILENT)
    assert all(len(why) > 5 for why in SILENT.values())


@pytest.mark.acceptance("AUD-06")
def test_every_action_of_a_project_has_a_sentence() -> None:
    actions = noted("coordinator/projects")
    assert {("start", False), ("live", True), ("approve", True), ("approve", False)} <= actions
    # What is not literal there: verdicts, a trust's word, what becomes of a release.
    actions |= {(verdict, verdict in ("suspend", "resume")) for verdict in get_args(Verdict)}
    actions |= {("accept", True), ("decline", True), ("publish", True), ("withdraw", True)}
    kinds = {f"{'project' if public else 'application'}.{action}" for action, public in actions}
    assert kinds == {kind for kind in TEXTS if kind.startswith(("project.", "application."))}


@pytest.mark.acceptance("AUD-06")
def test_every_end_of_a_question_and_every_word_of_a_trust_has_a_sentence() -> None:
    assert set(auditing._ENDS) == {state.value for state in State}
    assert {state for state, kind in auditing._ENDS.items() if kind} == {
        state.value for state, following in VALID_TRANSITIONS.items() if not following
    }
    assert set(auditing._ANSWERS) == {*get_args(Answer.model_fields["status"].annotation), "invalid"}
    made = {*auditing._ENDS.values(), *auditing._ANSWERS.values(), *auditing._NODE_EVENTS.values()} - {""}
    assert made <= set(TEXTS)


READS = {
    "dataset.read", "public.read", "node.anchor", "application.list", "application.read", "project.list",
    "project.read", "project.budget", "project.profiles", "query.preview", "query.list", "query.read", "release.list",
    "input.list", "input.use", "input.read", "session.read",
}  # fmt: skip
"""Actions that change nothing."""
SAYS = {
    "session.open": {"session.open", "session.fail"},
    "session.close": {"session.close"},
    "node.enrol": {"node.ask"},
    "node.approve": {"node.approve", "node.admit", "node.resolve"},
    "node.link": {"policy.change", "answer.give", "answer.refuse", "answer.none", "node.renew", "node.suspect"},
    "application.start": {"application.start"},
    "application.edit": {"application.edit"},
    "application.submit": {"application.submit"},
    "application.withdraw": {"application.withdraw"},
    "application.amend": {"application.start"},
    "application.approve": {"application.approve", "project.approve"},
    "application.decide": {"application.return", "application.refuse"},
    "project.suspend": {"project.suspend"},
    "project.resume": {"project.resume"},
    "project.close": {"project.close"},
    "query.submit": {"query.ask", "query.deny", "query.deny-more"},
    "query.cancel": {"query.cancel"},
    "release.publish": {"project.publish"},
    "release.withdraw": {"project.withdraw"},
    "release.review": {"review.verdict"},
    "input.upload": {"input.upload"},
    "input.approve": {"input.approve"},
    "input.refuse": {"input.refuse"},
    "input.retract": {"input.retract"},
    "input.withdraw": {"input.withdraw"},
    "statement.send": {"document.install"},
}


@pytest.mark.acceptance("AUD-06")
def test_every_action_that_changes_something_has_its_kind_of_entry() -> None:
    """A new action needs a row here: it changes nothing, or it says what the log tells of it."""
    assert READS | set(SAYS) == set(ACTIONS)
    assert not READS & set(SAYS)
    assert all(kinds and kinds <= set(TEXTS) for kinds in SAYS.values())
    # And each, reading as well, may be refused.
    assert "access.deny" in TEXTS


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_a_sentence_is_plain(kind: str) -> None:
    assert TEXTS[kind].isascii()
    assert TEXTS[kind].isprintable()
    assert TEXTS[kind].endswith(".")
    assert "." in kind

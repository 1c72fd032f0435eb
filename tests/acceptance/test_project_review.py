"""Project review in a whole federation: real nodes answer, two output checkers look, the deadline tells."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lib.federation import PROJECT, LiveFederation
from tests.lib.processes import wait_for

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]
SECONDS, WAIT = 25, 15
SQL = "SELECT gender_concept_id, count(DISTINCT person_id) AS people FROM person GROUP BY gender_concept_id"


class Reviewed(LiveFederation):
    """Every project's results are reviewed."""

    def coordinator(self, *arguments: str | Path) -> str:
        """``tq-coordinator``; its settings change before it first runs."""
        said = super().coordinator(*arguments)
        if arguments[0] == "init":
            path = self.layout.coordinator / "coordinator.toml"
            text = path.read_text()
            for old, new in (
                ("every_project = false", "every_project = true"),
                ("seconds = 86400", f"seconds = {SECONDS}"),
            ):
                assert text.count(old) == 1
                text = text.replace(old, new)
            path.write_text(text)
        return said

    def checker(self, name: str) -> Path:
        """The home of a new output checker, signed in."""
        home = self.layout.base / name
        home.mkdir()
        key = self.person(home, "login", "--new-key").strip()
        code = self.coordinator("user", "add", name, "--key", key, "--role", "output-checker").strip()
        self.person(home, "login", "--connect", code, "--user", name, "--key-challenge")
        return home


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Reviewed]:
    found = Reviewed(tmp_path)
    try:
        found.build()
        yield found
    finally:
        found.close()


def test_two_checkers_see_a_merged_table_first_and_the_analyst_at_the_deadline(federation: Reviewed) -> None:
    homes = {name: federation.checker(name) for name in ("opal", "osman")}
    checked = federation.ask("query", "check", "--project", PROJECT, SQL)
    assert f"You see it {SECONDS} seconds after the question's deadline" in checked.said
    asked = federation.query(SQL, wait=WAIT)
    assert (asked.exit, asked.out) == (14, "")
    assert "error: query-in-review" in asked.said
    (past,) = federation.ask("query", "history", "--format", "json").json
    release = past["query"]
    assert past["state"] == "in-review"

    def of(who: str, *words: str) -> Any:
        return federation.person(homes[who], "release", *words)

    (listed,) = json.loads(of("opal", "list", "--format", "json"))
    assert listed["query"] == release
    shown = {who: json.loads(of(who, "show", release[:12], "--format", "json")) for who in homes}
    assert shown["opal"] == shown["osman"] | {"stage": "none"}
    for who in homes:
        of(who, "approve", release[:12], "--yes")
    assert time.time() < listed["deadline"], "the machine was too slow for this test"
    assert federation.ask("query", "result", release[:12]).exit == 14
    assert federation.coordinator_rows("SELECT count(*) FROM queries WHERE result IS NOT NULL") == [(0,)]

    def told() -> bool:
        return federation.ask("query", "result", release[:12]).exit == 0

    wait_for(told, listed["deadline"] - time.time() + 20, "the deadline")
    assert time.time() >= listed["deadline"]
    found = federation.ask("query", "result", release[:12], "--format", "json").json
    assert found["table"] == shown["opal"]["table"]
    assert found["criteria"]["record"]["reviewed_by"] == ["two output checkers"]
    assert {len(cell) for cell in found["table"]["rows"]} == {2}

"""Generated pages are in date, deterministic and complete; a change is noticed and mended by `make docs`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT
from tools.generate_docs import differences, generate, main
from trustquery.errors import CATALOGUE


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return generate()


def test_in_date(made: dict[str, str]) -> None:
    assert differences(made, ROOT) == {}, "run `make docs`"


def test_generated_twice_is_the_same(made: dict[str, str]) -> None:
    assert generate() == made


def test_nothing_of_this_machine_is_in_it(made: dict[str, str]) -> None:
    for path, text in made.items():
        assert str(ROOT) not in text, path
        assert not re.search(r"<[\w.]+ object at 0x", text), path


def test_every_error_code_has_a_section(made: dict[str, str]) -> None:
    sections = re.findall(r"^### ([a-z-]+)$", made["docs/reference/errors.md"], re.MULTILINE)
    assert sorted(sections) == sorted(CATALOGUE)


def test_every_question_has_a_section_with_its_sql_or_the_reason_why_not(made: dict[str, str]) -> None:
    _, *sections = re.split(r"^## (?=\d+\. )", made["docs/reference/questions-in-sql.md"], flags=re.MULTILINE)
    assert [int(section.split(".")[0]) for section in sections] == list(range(1, 28))
    assert [section.split(".")[0] for section in sections if "```sql\n" not in section] == ["25"]
    assert "**Not answered yet.**" in sections[24]


def test_every_step_of_the_gate_has_a_row_with_codes_that_exist(made: dict[str, str]) -> None:
    from node_agent.gate.gate import STEPS

    text = made["docs/reference/gate.md"]
    assert len(STEPS) == 20, "the glossary and 'How a query travels' say twenty"
    rows = re.findall(r"^\| (\d+) \| \[`(\w+)`\]", text, re.MULTILINE)
    assert rows == [(str(number), step) for number, (step, _) in enumerate(STEPS, 1)]
    assert set(re.findall(r"errors\.md#([a-z-]+)", text)) <= set(CATALOGUE)


def test_every_move_of_a_state_machine_is_drawn(made: dict[str, str]) -> None:
    from coordinator.queries import machine
    from node_agent.budget import states
    from trustquery.projects import life

    text = made["docs/reference/states.md"]
    for transitions in (machine.VALID_TRANSITIONS, states.VALID_TRANSITIONS):
        for state, reachable in transitions.items():
            for after in reachable or {"[*]"}:
                assert f"    {state} --> {after}\n" in text
    for before, action, after in (
        *((move.before, move.action, move.after) for move in life.APPLICATION_MOVES),
        *((move.before, move.action, move.after) for move in life.PROJECT_MOVES),
    ):
        assert f"    {before} --> {after}: {action}\n" in text


def test_every_schema_is_a_schema(made: dict[str, str]) -> None:
    import jsonschema

    schemas = {path: text for path, text in made.items() if path.endswith(".json")}
    api = json.loads(schemas.pop("docs/reference/coordinator-api.json"))
    assert len(schemas) == 18
    for text in (*schemas.values(), *map(json.dumps, api["components"]["schemas"].values())):
        jsonschema.Draft202012Validator.check_schema(json.loads(text))
    assert api["openapi"].startswith("3.1")


def test_check_changes_nothing_and_names_the_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], tmp_path) == 3
    assert not list(tmp_path.iterdir())
    out = capsys.readouterr().out
    assert "docs/reference/errors.md: missing" in out
    assert "make docs" in out


def test_generate_mends_a_changed_page_and_removes_one_that_nothing_makes(tmp_path: Path) -> None:
    assert main([], tmp_path) == 0
    errors, old = tmp_path / "docs/reference/errors.md", tmp_path / "docs/reference/old.md"
    wanted = errors.read_text(encoding="utf-8")
    old.write_text(wanted, encoding="utf-8")
    errors.write_text(wanted + "more\n", encoding="utf-8")
    kept = tmp_path / "docs/reference/mine.md"
    kept.write_text("written by hand\n", encoding="utf-8")
    assert main(["--check"], tmp_path) == 3
    assert main([], tmp_path) == 0
    assert errors.read_text(encoding="utf-8") == wanted
    assert not old.exists()
    assert kept.exists()
    assert main(["--check"], tmp_path) == 0


def test_reference_pages_are_written_by_hand_or_by_the_generator(made: dict[str, str]) -> None:
    by_hand = {"glossary.md", "query-language.md", "formats.md", "privacy-rules.md", "demo-data.md"}
    # By make recipes: no two runs are the same.
    measured = {
        "accuracy-benchmark.md",
        "engine-benchmark.md",
        "privacy-audit.md",
        "durability-report.md",
        "simulation-report.md",
    }
    for page in (DOCS / "reference").glob("*.md"):
        assert page.name in by_hand | measured or f"docs/reference/{page.name}" in made, page.name

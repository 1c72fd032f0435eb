"""node.toml and the home folder."""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from node_agent.config import Home, NodeConfig, default_home, load_config, parse_config
from trustquery.errors import Problem, TrustQueryError

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = (ROOT / "node_agent/node.sample.toml").read_text()


def problems(text: str) -> list[Problem]:
    with pytest.raises(TrustQueryError) as caught:
        parse_config(text)
    return list(caught.value.problems)


def test_the_sample_loads_and_shows_every_key_with_its_default() -> None:
    config = parse_config(SAMPLE)
    given = tomllib.loads(SAMPLE)
    for section, field in NodeConfig.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            assert set(given[section]) == set(model.model_fields), section
            if section != "node":
                assert getattr(config, section) == model(), (
                    f"{section}: the sample shows other values than the defaults"
                )
    assert [source.dataset for source in config.sources] == ["omop-5.4"]


def test_a_minimal_file() -> None:
    config = parse_config('format = "tq-node-1"\n[node]\nods = "RX1"\nname = "Ash"')
    assert config.answer.slot_ms == 1_000
    assert config.sources == ()


def test_faults_are_all_reported_with_places_and_nearest_names() -> None:
    text = SAMPLE.replace("slot_ms = 1000 ", "slot_mss = 1000 ").replace('ods = "RXX"', 'ods = "lower"')
    text = text.replace('format = "csv"', 'format = "xlsx"').replace("parallel = 4", "parallel = 4.0")
    found = {(problem.code, problem.place, problem.fields.get("nearest", "")) for problem in problems(text)}
    assert found == {
        ("config-unknown-key", "answer.slot_mss", "slot_ms"),
        ("config-invalid", "node.ods", ""),
        ("config-invalid", "source[1].format", ""),
        ("config-invalid", "answer.parallel", ""),
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('format = "tq-node-1"', 'format = "tq-node-2"'),
        ("slot_ms = 1000 ", "slot_ms = 0 "),
        ("slot_ms = 1000 ", "slot_ms = true "),
        ("seconds = 60\n", "seconds = nan\n"),
        ('name = "Example NHS Trust"', 'name = ""'),
        ('name = "Example NHS Trust"', "name = 2026-01-01"),
        ('ods = "RXX"', 'ods = "$(rm -rf /)"'),
        ("[[source]]", "[source]"),
        ("[node]", "[node"),
    ],
)
def test_wrong_values_are_refused(old: str, new: str) -> None:
    assert old in SAMPLE
    assert {problem.code for problem in problems(SAMPLE.replace(old, new))} <= {"config-invalid", "config-unknown-key"}


def test_a_dataset_has_one_source() -> None:
    block = SAMPLE[SAMPLE.rindex("[[source]]") :]
    assert [problem.code for problem in problems(SAMPLE + block)] == ["config-invalid"]


def test_one_folder_under_two_names_has_one_budget(tmp_path: Path) -> None:
    block = '\n[[source]]\ndataset = "nhs-episodes"\nformat = "csv"\npath = "data/../data/omop"\n'
    home = Home(tmp_path)
    shared = parse_config(SAMPLE + block)
    assert shared.budget_subject("omop-5.4", home) == "nhs-episodes+omop-5.4"
    assert shared.budget_subject("nhs-episodes", home) == "nhs-episodes+omop-5.4"
    apart = parse_config(SAMPLE + block.replace("/../data/omop", "/other"))
    assert apart.budget_subject("omop-5.4", home) == "omop-5.4"
    assert apart.budget_subject("unlisted", home) == "unlisted"


def test_the_home_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "node")
    home.create()
    for folder in (home.path, home.keys, home.startup, home.policy, home.control):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with pytest.raises(TrustQueryError) as caught:
        load_config(home)
    assert caught.value.code == "config-missing"
    assert caught.value.exit_status == 30


def test_the_environment_names_the_home_and_an_option_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TQ_NODE_HOME", str(tmp_path / "one"))
    assert default_home(None).path == tmp_path / "one"
    assert default_home(tmp_path / "two").path == tmp_path / "two"
    monkeypatch.delenv("TQ_NODE_HOME")
    assert re.search(r"\.trustquery/node$", str(default_home(None).path))

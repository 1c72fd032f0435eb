"""The page on opt-outs, done command by command by IT of a trust without MESH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from node_agent.config import Home
from tests.docs.pages import DOCS, fences
from tests.unit.optout.test_lists import numbers

PEOPLE = numbers(6)
HEADER = (
    "observation_period_id,person_id,observation_period_start_date,observation_period_end_date,period_type_concept_id"
)


def test_apply_opt_outs(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    (home.path / "data" / "omop").mkdir(parents=True)
    rows = [f"{at},{at},2020-01-01,2020-12-31,5" for at in range(7)]
    (home.path / "data" / "omop" / "observation_period.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    known = [f"{at},{number}" for at, number in enumerate(PEOPLE)]
    (home.path / "data" / "nhs_numbers.csv").write_text("\n".join(["person_id,nhs_number", *known]) + "\n")
    page = fences(DOCS / "how-to" / "apply-opt-outs.md")
    settings = next(fence.text for fence in page if "[[nhs_numbers]]" in fence.text)
    home.config_file.write_text(
        'format = "tq-node-1"\n[node]\nods = "RXX"\nname = "Trust"\n'
        '[[source]]\ndataset = "omop-5.4"\nformat = "csv"\npath = "data/omop"\n' + settings
    )
    desk = tmp_path / "desk"
    desk.mkdir()
    (desk / "type1.csv").write_text(f"{PEOPLE[1]}\n")
    (desk / "objections.txt").write_text("2\n")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(desk), "LC_ALL": "C.UTF-8",
        "TQ_NODE_HOME": str(home.path),
    }  # fmt: skip
    said = ""
    for fence in (fence for fence in page if fence.language == "sh"):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", fence.text], cwd=desk, env=environment,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, f"{fence.text}\n{done.stdout}\n{done.stderr}"
        said += done.stdout + done.stderr
        if "optout request" in fence.text:
            environment["REQUEST"] = done.stdout.split()[1]
            sent = (desk / "numbers.dat").read_text().splitlines()
            assert sorted(sent) == sorted(f"{number}," for number in PEOPLE)
            (desk / "reply.dat").write_text("".join(f"{line}\n" for line in sent if line != sent[0]))
    assert not [number for number in PEOPLE if number in said]
    current = json.loads((home.store / "current.json").read_text())
    assert [item["kind"] for item in current["opt_outs"]["omop-5.4"]] == ["local", "national", "type-1"]
    for path in home.store.rglob("*"):
        assert not path.is_file() or not [number for number in PEOPLE if number.encode() in path.read_bytes()]

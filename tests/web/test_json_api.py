"""WEB-04: Schemathesis, somebody else's tool, tries every operation of the JSON API with what its schema allows and
what it does not. No answer may be a server error, and each must be what the schema says."""

from __future__ import annotations

import copy
import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from coordinator.api.app import routed
from coordinator.api.schema import api_schema
from tests.lib.processes import ROOT
from tests.lib.public_site import PublicSite, serving

TOOL = ROOT / ".api-venv" / "bin" / "schemathesis"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
ASKED = "ab" * 32
NAMES = {
    "project": ["stays", "none"],
    "dataset": ["omop-5.4", "none"],
    "query": [ASKED, ASKED[:12], "0" * 12],
    "ods": ["RX1", "RX9"],
}
"""Things that are there, and one that is not: else every guess ends at the door."""


def schema() -> dict[str, Any]:
    """The API's own, with names in its paths that mean something."""
    found = copy.deepcopy(api_schema(routed()))
    for path, operations in found["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                known = NAMES.get("dataset" if path.startswith("/v1/datasets") else parameter["name"])
                if path.startswith("/v1/projects/") and parameter["name"] == "name":
                    known = NAMES["project"]
                if parameter["in"] == "path" and known:
                    parameter["schema"] = {"type": "string", "enum": known}
    return found


def tried(made: PublicSite, folder: Path, document: Mapping[str, Any], who: str, most: int, *words: str) -> Any:
    """Run the tool as somebody; returns its report."""
    token = made.session(who)
    path, report = folder / "api.json", folder / f"{who}.json"
    path.write_text(json.dumps(document))
    done = subprocess.run(
        [
            TOOL, "run", path, "--url", f"https://{made.public}", "--tls-verify", folder / "home" / "authority.pem",
            "--header", f"Authorization: Bearer {token}", "--seed", "1", "--max-examples", str(most), "--no-shrink",
            "--phases", "coverage,fuzzing" if most > 100 else "fuzzing", "--continue-on-failure", "--checks", CHECKS,
            "--report", "json", "--report-json-path", report, "--output-truncate", "false", *words,
        ],
        capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    return done, json.loads(report.read_text())


@pytest.mark.acceptance("WEB-04")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("who", ["ada", pytest.param("ann", marks=pytest.mark.slow)])
def test_no_request_makes_a_server_error_and_each_reply_is_what_the_schema_says(
    tmp_path: Path, who: str, pytestconfig: pytest.Config
) -> None:
    """A lead and a member of the committee.

    `--full-size` draws 200 examples of each operation, and tries each limit of its schema.
    """
    most = 200 if pytestconfig.getoption("full_size") else 8
    with serving(tmp_path, with_local=True) as (made, _):
        permit = made.project(words={"RX1": "accepted"})
        made.use(permit, ASKED, closed=int(time.time()) - 60)
        # Signing out would end the session that the rest needs.
        done, report = tried(made, tmp_path, schema(), who, most, "--exclude-path", "/v1/logout")
        assert done.returncode == 0, done.stdout[-5000:]
        out, _ = tried(made, tmp_path, schema(), who, most, "--include-path", "/v1/logout")
        assert out.returncode == 0, out.stdout[-2000:]
    assert report["operations"]["tested"] == report["operations"]["selected"] == report["operations"]["total"] - 1 > 40
    assert (report["errors"], report["failures"]) == ([], [])
    assert report["test_cases"]["generated"] > 200
    # Not all of it ends at a closed door.
    rates = report["valid_rates"].values()
    assert sum(phase["accepted"] > 0 for rate in rates for phase in rate.values()) > 15


@pytest.mark.acceptance("WEB-04")
def test_a_planted_fault_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: one route that breaks, and one whose reply is not what its schema says."""
    with serving(tmp_path) as (made, _):
        document = schema()
        reply = document["paths"]["/v1/datasets"]["get"]["responses"]["200"]["content"]["application/json"]
        reply["schema"] = {"type": "object", "required": ["absent"]}

        def broken(*_given: object) -> None:
            raise RuntimeError("planted")

        monkeypatch.setattr(made.store.queries, "history", broken)
        only = [word for path in ("/v1/queries", "/v1/datasets") for word in ("--include-path", path)]
        done, report = tried(
            made, tmp_path, document, "ada", 3, *only, "--include-method", "GET", "--phases", "fuzzing"
        )
    assert done.returncode == 1
    assert {item["title"] for item in report["failures"]} >= {"Server error", "Response violates schema"}

"""A question about a codelist, by real processes: approved by a second person, answered where the very file is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from demo.layout import COMMITTEE
from demo.processes import DemoError
from node_agent.config import Home
from tests.lib.federation import PROJECT, TRUSTS, Asked, LiveFederation
from tests.lib.processes import wait_for
from trustquery.codelists import read_table

pytestmark = pytest.mark.timeout(300)
SQL = """SELECT count(DISTINCT person_id) AS people
FROM condition_occurrence
WHERE condition_source_value IN (SELECT code FROM sinusitis)
  AND condition_start_date >= $since
  AND condition_source_value NOT IN ($never)
"""
HOLD = ("RX1", "RX2", "RX3")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFederation]:
    federation = LiveFederation(tmp_path_factory.mktemp("codelists"))
    try:
        federation.build()
        yield federation
    finally:
        federation.close()


@pytest.fixture(scope="module")
def files(live: LiveFederation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A codelist made of codes that the data hold, its query, and another version of the list."""
    folder = tmp_path_factory.mktemp("files")
    with duckdb.connect() as connection:
        codes = connection.execute(
            "SELECT condition_source_value FROM read_parquet($1) WHERE condition_source_value IS NOT NULL "
            "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 5",
            [[f"{live.layout.data / ods}/condition_occurrence.parquet" for ods in TRUSTS]],
        ).fetchall()
    assert len(codes) == 5
    text = "code,term\n" + "".join(f"{code},condition {place}\n" for place, (code,) in enumerate(codes))
    (folder / "sinusitis.csv").write_text(text)
    (folder / "longer.csv").write_text(text + "zzz,one more\n")
    (folder / "people.sql").write_text(SQL)
    live.approve_input(folder / "sinusitis.csv", system="snomedct")
    for ods in HOLD:
        live.node(ods, "source", "input", folder / "sinusitis.csv")
    return folder


def run(
    live: LiveFederation,
    files: Path,
    *options: str,
    command: str = "run",
    file: str = "people.sql",
    inputs: str = "",
) -> Asked:
    spend = ["--yes", "--max-epsilon", "2", "--wait", "25"] if command == "run" else []
    return live.ask(
        "query", command, "--project", PROJECT, "--epsilon", "2", *spend, "--format", "json",
        "--input", inputs or files / "sinusitis.csv", "--param", "since=2000-01-01", "--param", "never=zzz",
        "--param", "never=it's", *options, files / file,
    )  # fmt: skip


def truth(live: LiveFederation, files: Path, trusts: tuple[str, ...]) -> int:
    """People by trust, from the files themselves."""
    total = 0
    with duckdb.connect() as connection:
        for ods in trusts:
            found = connection.execute(
                "SELECT count(DISTINCT person_id) FROM read_parquet($1) WHERE "
                "condition_start_date >= DATE '2000-01-01' "
                "AND condition_source_value IN (SELECT code FROM read_csv($2, all_varchar = true))",
                [f"{live.layout.data / ods}/condition_occurrence.parquet", str(files / "sinusitis.csv")],
            ).fetchone()
            assert found is not None
            total += found[0]
    return total


def spent(live: LiveFederation, ods: str) -> Any:
    return live.ledger(ods, "SELECT coalesce(sum(rho_nano), 0), count(*) FROM charge")[0]


def missing(document: dict[str, Any]) -> dict[str, list[str]]:
    return {
        trust["node"]: [reason["code"] for reason in trust["reasons"]]
        for trust in document["trusts"]
        if not trust["answered"]
    }


def test_what_nobody_approved_is_asked_of_no_trust(live: LiveFederation, files: Path) -> None:
    before = {ods: spent(live, ods) for ods in TRUSTS}
    asked = live.ask(
        "query", "run", "--project", PROJECT, "--epsilon", "1", "--yes", "--max-epsilon", "1",
        "--input", f"sinusitis@2={files / 'longer.csv'}", "--param", "since=2000-01-01", "--param", "never=zzz",
        files / "people.sql",
    )  # fmt: skip
    assert asked.exit == 10
    assert "error: query-input-unapproved" in asked.said
    assert "tq codelist upload" in asked.said
    assert {ods: spent(live, ods) for ods in TRUSTS} == before


def test_an_approved_list_is_used_by_its_name(live: LiveFederation, files: Path) -> None:
    document = run(live, files, inputs="sinusitis").json
    again = run(live, files, inputs="sinusitis@1").json
    assert document["table"] == again["table"] == run(live, files).json["table"]


def test_a_node_checks_the_approval_of_what_it_installs(live: LiveFederation, files: Path) -> None:
    table, approval = files / "sinusitis@1.json", files / "sinusitis@1.dsse"
    live.analyst("codelist", "show", "sinusitis", "--out", table, "--approval", approval)
    done = live.node("RX4", "source", "input", table, "--approval", approval, "--dry-run", "--format", "json")
    assert json.loads(done)["data"]["approved by"] == next(iter(COMMITTEE))
    with pytest.raises(DemoError, match="approves another table"):
        live.node("RX4", "source", "input", files / "longer.csv", "--name", "sinusitis", "--approval", approval)
    signed = json.loads(approval.read_bytes())
    signed["signatures"][0]["sig"] = "A" * 86 + "=="
    approval.write_text(json.dumps(signed))
    with pytest.raises(DemoError, match="auth-document"):
        live.node("RX4", "source", "input", table, "--approval", approval)


def test_trusts_with_the_file_answer_and_one_without_is_missing_and_unpaid(live: LiveFederation, files: Path) -> None:
    before = spent(live, "RX4")
    document = run(live, files).json
    assert missing(document) == {"RX4": ["query-input-unknown"]}
    estimate = document["table"]["rows"][0][0]
    width = estimate["high"] - estimate["low"]
    real = truth(live, files, HOLD)
    assert real > 50
    assert abs(estimate["value"] - real) < 2 * width
    assert spent(live, "RX4") == before
    assert spent(live, "RX1")[0] > 0
    # The result is read again without the file.
    again = live.ask("query", "result", document["query"], "--format", "json").json
    assert again["table"] == document["table"]


def test_another_version_of_the_file_is_refused_and_unpaid(live: LiveFederation, files: Path) -> None:
    live.node("RX4", "source", "input", files / "longer.csv", "--name", "sinusitis")
    before = spent(live, "RX4")
    document = run(live, files, "--fresh").json
    assert missing(document) == {"RX4": ["query-input-differs"]}
    assert spent(live, "RX4") == before


def test_a_running_node_uses_a_file_from_the_next_query_on(live: LiveFederation, files: Path) -> None:
    (wrong,) = (live.layout.trust("RX4") / "inputs").iterdir()
    wrong.unlink()
    live.node("RX4", "source", "input", files / "sinusitis.csv")
    document = run(live, files, "--fresh").json
    assert missing(document) == {}
    estimate = document["table"]["rows"][0][0]
    assert abs(estimate["value"] - truth(live, files, tuple(TRUSTS))) < 2 * (estimate["high"] - estimate["low"])


def test_where_too_few_hold_the_file_nothing_is_asked(live: LiveFederation, files: Path) -> None:
    live.approve_input(files / "longer.csv", "--id", "sinusitis", system="look-up")
    before = {ods: spent(live, ods) for ods in TRUSTS}
    asked = live.ask(
        "query", "run", "--project", PROJECT, "--epsilon", "1", "--yes", "--max-epsilon", "1",
        "--input", "sinusitis@2", "--param", "since=2000-01-01", "--param", "never=zzz", files / "people.sql",
    )  # fmt: skip
    assert asked.exit == 10
    assert "error: query-input-differs at RX1, RX2, RX3, RX4" in asked.said
    assert "error: query-too-few-accept" in asked.said
    assert {ods: spent(live, ods) for ods in TRUSTS} == before


def test_a_problem_names_the_file_and_its_line(live: LiveFederation, files: Path) -> None:
    (files / "wrong.sql").write_text(SQL.replace("$since", "$sinse"))
    asked = run(live, files, command="cost", file="wrong.sql")
    assert asked.exit == 10
    assert f"query-parameter-missing at {files / 'wrong.sql'}, line 4, column 31" in asked.said
    assert "query-parameter-unused" in asked.said
    assert "did you mean sinse" in asked.said
    without = live.ask("query", "cost", "--project", PROJECT, "--epsilon", "1", "--file", files / "people.sql",
                       "--param", "since=2000-01-01", "--param", "never=x")  # fmt: skip
    assert "query-unknown-table" in without.said
    assert "there is no table sinusitis" in without.said
    assert json.dumps(spent(live, "RX1"))


def test_a_withdrawn_list_is_refused_at_the_centre_and_every_node_knows_it(live: LiveFederation, files: Path) -> None:
    """The last of this file: it ends the list for good."""
    before = spent(live, "RX1")
    person = next(iter(COMMITTEE))
    live.person(
        live.layout.member(person), "codelist", "withdraw", "sinusitis@1", "--key",
        live.layout.key("committee", person), "--reason", "It missed one.", "--yes",
    )  # fmt: skip
    asked = run(live, files)
    assert asked.exit == 10
    assert "was approved once and is withdrawn" in asked.said
    assert "`tq codelist show sinusitis@1` says why" in asked.said
    by_name = run(live, files, inputs="sinusitis@1")
    assert "was approved once and is withdrawn" in by_name.said
    pin = read_table((files / "sinusitis.csv").read_bytes(), "sinusitis.csv").pin
    for ods in TRUSTS:
        told = Home(live.layout.trust(ods)).documents / "withdrawals" / f"{pin.sha256}.dsse"
        wait_for(told.exists, 20, f"{ods} to know it")
    assert spent(live, "RX1") == before
    assert "It missed one." in live.ask("codelist", "show", "sinusitis@1").said

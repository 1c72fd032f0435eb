"""The first federated answer, as its people live it: four trusts, a coordinator and an analyst, all real processes.

One federation serves the whole file; tests run in the order written, and the last ones end the project and the budget.
Truth is computed by DuckDB on the files themselves, never by our engine.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Any

import duckdb
import psutil
import pytest

from tests.lib.federation import PROJECT, TRUSTS, LiveFederation
from tests.lib.secrets_scan import forms, key_bytes, leaks, private_pem_in
from trustquery.protocol.enrolment import EnrolmentCode

ROOT = Path(__file__).resolve().parents[2]
FALSE_ALARM = 1e-6
pytestmark = pytest.mark.timeout(300)
PEOPLE_BY_SEX = "SELECT gender_concept_id AS sex, count(DISTINCT person_id) AS people FROM person GROUP BY 1"
ONE_COUNT = "SELECT count(DISTINCT person_id) AS people FROM person"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFederation]:
    federation = LiveFederation(tmp_path_factory.mktemp("first"))
    try:
        federation.build()
        yield federation
    finally:
        federation.close()


def spent(live: LiveFederation) -> dict[str, int]:
    """Nano-rho each trust's ledger holds against the project, summed by plain SQL."""
    return {
        ods: live.ledger(ods, "SELECT coalesce(sum(rho_nano), 0) FROM charge WHERE scope = 'project' AND refunded = 0")[
            0
        ][0]
        for ods in TRUSTS
    }


def rows(sql: str) -> list[tuple[Any, ...]]:
    """What DuckDB says, in a connection of its own."""
    with duckdb.connect() as connection:
        found: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
        return found


def truth(live: LiveFederation, sql: str) -> dict[str, float]:
    """Key to figure over the four trusts' files; ``{files}`` in the text is each trust's own file of a table."""
    found: dict[str, float] = {}
    for ods in TRUSTS:
        folder = live.layout.data / ods
        text = re.sub(r"\{(\w+)\}", rf"read_parquet('{folder}/\1.parquet')", sql)
        for key, figure in rows(text):
            found[str(key)] = found.get(str(key), 0) + figure
    return found


def estimates(document: dict[str, Any], column: str) -> dict[str, dict[str, float]]:
    """First key to the estimate of a column."""
    names = [item["name"] for item in document["table"]["columns"]]
    return {row[0]["value"]: row[names.index(column)] for row in document["table"]["rows"]}


# -- what is running -------------------------------------------------------------------------------------------------


@pytest.mark.acceptance("SEC-05")
def test_only_the_coordinator_listens_and_only_on_what_it_declares(live: LiveFederation) -> None:
    declared = set(
        re.findall(r'(?m)^listen = "127\.0\.0\.1:(\d+)"', (live.layout.coordinator / "coordinator.toml").read_text())
    )
    assert len(declared) == 2
    parts = {part.name: part.process.pid for part in live.processes.parts if part.process.poll() is None}
    assert set(parts) == {"coordinator", *(f"node {ods}" for ods in TRUSTS)}
    assert len(set(parts.values())) == 5
    homes = {live.layout.coordinator, live.layout.analyst, *(live.layout.trust(ods) for ods in TRUSTS)}
    assert len(homes) == 6
    for name, pid in parts.items():
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        listening = {
            (found.laddr.ip.removeprefix("::ffff:"), str(found.laddr.port))
            for process in processes
            for found in process.net_connections("inet")
            if found.status == psutil.CONN_LISTEN or (found.type == 2 and not found.raddr)
        }
        expected = {("127.0.0.1", port) for port in declared} if name == "coordinator" else set()
        assert listening == expected, name


@pytest.mark.acceptance("SEC-05")
def test_no_default_secret_opens_anything(live: LiveFederation) -> None:
    """No account exists that nobody made, and no token or key works that nobody was given."""
    users = live.coordinator_rows("SELECT name FROM users")
    assert users == [("ada",), ("casey",), ("olive",), ("oscar",), ("robin",)]
    port = re.search(r'listen = "127\.0\.0\.1:(\d+)"', (live.layout.coordinator / "coordinator.toml").read_text())
    assert port is not None
    import ssl

    import httpx

    context = ssl.create_default_context(cafile=str(live.layout.coordinator / "authority.pem"))
    with httpx.Client(base_url=f"https://localhost:{port[1]}", verify=context, trust_env=False) as client:
        for token in ("-", "admin", "changeme", "trustquery", "0" * 64, "null"):
            for path in ("/v1/projects", "/v1/queries", "/v1/datasets", f"/v1/projects/{PROJECT}/budget"):
                reply = client.get(path, headers={"Authorization": f"Bearer {token}"})
                assert reply.status_code in (401, 422), (token, path)
        for user in ("ada", "admin", "root", "nobody"):
            asked = client.post("/v1/login/challenge", json={"user": user})
            assert asked.status_code == 200
            refused = client.post(
                "/v1/login",
                json={"user": user, "challenge": asked.json()["challenge"], "signature": "00" * 64},
            )
            assert refused.status_code == 401


# -- asking ----------------------------------------------------------------------------------------------------------


def test_a_question_is_answered_within_its_noise_and_charged_once(live: LiveFederation) -> None:
    before = spent(live)
    document = live.query(PEOPLE_BY_SEX, "1").json
    assert [trust["answered"] for trust in document["trusts"]] == [True] * 4
    real = truth(live, "SELECT gender_concept_id, count(DISTINCT person_id) FROM {person} GROUP BY 1")
    found = estimates(document, "people")
    assert set(found) == {"8507", "8532", "other", "missing"}
    # Every person is in one cell once, so the bounded figure is the true one.
    widest = NormalDist().inv_cdf(1 - FALSE_ALARM / (2 * len(found))) / NormalDist().inv_cdf(0.975)
    for key, estimate in found.items():
        half = (estimate["high"] - estimate["low"]) / 2
        assert abs(estimate["value"] - real.get(key, 0)) <= half * widest
    rho = document["cost"]["rho_nano"]
    assert {ods: after - before[ods] for ods, after in spent(live).items()} == dict.fromkeys(TRUSTS, rho)


def test_the_same_question_gets_the_same_answer_at_no_further_cost(live: LiveFederation) -> None:
    first = live.query(PEOPLE_BY_SEX, "1").json
    before = spent(live)
    again = live.query(PEOPLE_BY_SEX, "1").json
    assert again["table"] == first["table"]
    assert spent(live) == before
    fresh = live.query(PEOPLE_BY_SEX, "1", "--fresh").json
    assert fresh["table"] != first["table"]
    assert all(after > before[ods] for ods, after in spent(live).items())


def test_cost_touches_nothing_and_says_who_would_answer(live: LiveFederation) -> None:
    before = spent(live)
    found = live.ask("query", "cost", "-p", PROJECT, "-e", "0.5", "--format", "json", ONE_COUNT).json
    assert [trust["accepted"] for trust in found["trusts"]] == [True] * 4
    assert found["rho_nano"] > 0
    assert spent(live) == before


def test_the_sdk_reads_as_in_the_tutorial(live: LiveFederation) -> None:
    import trustquery

    with trustquery.connect(home=live.layout.analyst) as connection:
        query = connection.project(PROJECT).sql(ONE_COUNT, epsilon=0.5)
        assert query.cost.rho_nano > 0
        table = query.to_arrow()
        assert table.column_names == ["people", "people_low", "people_high"]
        frame = query.to_pandas()
    ((low, high),) = query.intervals["people"]
    assert low is not None
    assert high is not None
    assert low < frame["people"][0] < high
    assert sum(trust.answered for trust in query.trusts) == 4


def test_a_stopped_node_is_missing_with_its_reason_and_never_zero(live: LiveFederation) -> None:
    live.kill_node("RX3", signal.SIGTERM)
    live.wait_disconnected("RX3")
    asked = live.query(PEOPLE_BY_SEX, "1", "--fresh", wait=12)
    assert "3 of 4 trusts answered" in asked.said
    assert "missing: RX3" in asked.said
    document = asked.json
    assert {t["node"]: t["answered"] for t in document["trusts"]} == {
        "RX1": True,
        "RX2": True,
        "RX3": False,
        "RX4": True,
    }
    others = [ods for ods in TRUSTS if ods != "RX3"]
    real: dict[str, float] = {}
    for ods in others:
        file = live.layout.data / ods / "person.parquet"
        for key, figure in rows(f"SELECT gender_concept_id, count(DISTINCT person_id) FROM '{file}' GROUP BY 1"):
            real[str(key)] = real.get(str(key), 0) + figure
    found = estimates(document, "people")
    for key, estimate in found.items():
        assert abs(estimate["value"] - real.get(key, 0)) <= (estimate["high"] - estimate["low"]) * 1.5
    live.start_node("RX3")


# -- refusals --------------------------------------------------------------------------------------------------------

BAD_QUERIES: dict[str, tuple[str, str, int]] = {
    "unknown table": ("SELECT count(*) FROM visits", "query-unknown-table", 10),
    "unknown column": ("SELECT count(*) FROM person WHERE shoe_size > 40", "query-unknown-column", 10),
    "unknown function": (
        "SELECT count(*) FROM person WHERE soundex(gender_concept_id) > 1",
        "query-unknown-function",
        10,
    ),
    "join off the person key": (
        "SELECT count(*) FROM person p JOIN visit_occurrence v ON p.year_of_birth = v.visit_concept_id",
        "query-join-not-on-person",
        10,
    ),
    "missing bounds": (
        "SELECT avg(date_diff('day', visit_start_date, visit_end_date)) FROM visit_occurrence",
        "query-bounds-missing",
        10,
    ),
    "text after the statement": ("SELECT count(*) FROM person; DROP TABLE person", "query-text-after-statement", 10),
    "raw rows": ("SELECT gender_concept_id FROM person", "query-no-aggregate", 10),
    "identifier": ("SELECT person_id, count(*) FROM person GROUP BY 1", "query-identifier-in-output", 10),
    "no statement": ("DROP TABLE person", "query-statement-unsupported", 10),
    "empty": ("", "query-empty", 10),
}


@pytest.mark.parametrize(("sql", "code", "status"), BAD_QUERIES.values(), ids=BAD_QUERIES.keys())
def test_bad_input_is_a_typed_refusal_and_spends_nothing(
    live: LiveFederation, sql: str, code: str, status: int
) -> None:
    before = spent(live)
    asked = live.query(sql)
    assert asked.exit == status, asked.err
    assert f"error: {code}" in asked.said
    assert "fix: " in asked.said
    assert asked.out == ""
    assert spent(live) == before


def test_a_query_of_one_megabyte_is_refused(live: LiveFederation) -> None:
    before = spent(live)
    sql = "SELECT count(*) FROM person WHERE year_of_birth IN (" + "1950, " * 160_000 + "1951)"
    assert len(sql) > 900_000
    asked = live.ask("query", "run", "-p", PROJECT, "-e", "1", "--yes", "--max-epsilon", "1", "-", stdin=sql)
    assert asked.exit == 10
    assert "error: query-too-long" in asked.said
    assert spent(live) == before


def test_spending_more_than_allowed_is_refused_before_asking(live: LiveFederation) -> None:
    before = spent(live)
    asked = live.ask("query", "run", "-p", PROJECT, "-e", "2", "--yes", "--max-epsilon", "1", ONE_COUNT)
    assert (asked.exit, "error: query-max-epsilon" in asked.said) == (20, True)
    unasked = live.ask("query", "run", "-p", PROJECT, "-e", "1", ONE_COUNT)
    assert (unasked.exit, "error: query-not-confirmed" in unasked.said) == (2, True)
    assert spent(live) == before


def test_an_unknown_policy_key_is_an_error_with_the_nearest_name(live: LiveFederation, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(live.policy_text("RX1").replace("max_cells", "max_cels"))
    asked = live.ask("policy", "check", policy)
    assert asked.exit == 30
    assert "error: policy-unknown-key" in asked.said
    assert "max_cells" in asked.said


def test_a_trust_without_a_policy_refuses_and_the_others_answer(live: LiveFederation) -> None:
    home = live.layout.trust("RX4")
    (signed,) = home.rglob("policy/history/*.dsse")
    kept = signed.read_bytes()
    before = spent(live)
    signed.unlink()
    try:
        asked = live.query("SELECT count(DISTINCT person_id) AS people FROM death", "0.5", wait=15)
    finally:
        signed.write_bytes(kept)
    document = asked.json
    missing = [trust for trust in document["trusts"] if not trust["answered"]]
    assert [trust["node"] for trust in missing] == ["RX4"]
    assert [reason["code"] for reason in missing[0]["reasons"]] == ["policy-absent"]
    after = spent(live)
    assert after["RX4"] == before["RX4"]
    assert after["RX1"] > before["RX1"]


def test_stop_takes_effect_at_once_and_needs_no_coordinator(live: LiveFederation) -> None:
    live.node("RX2", "pause")
    asked = live.query("SELECT count(DISTINCT person_id) AS n FROM observation", "0.5", wait=12)
    missing = [trust for trust in asked.json["trusts"] if not trust["answered"]]
    assert [trust["node"] for trust in missing] == ["RX2"]
    keys = [item for person in ("grace", "ivan") for item in ("--key", str(live.layout.key("RX2", person)))]
    live.node("RX2", "resume", *keys)
    assert [t["answered"] for t in live.query(PEOPLE_BY_SEX, "1").json["trusts"]] == [True] * 4


# -- secrets ---------------------------------------------------------------------------------------------------------


def tracked_files() -> list[Path]:
    """Everything that a clone would hold."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def secrets_of(live: LiveFederation) -> dict[Path, bytes]:
    """Every secret of the federation, by the one file where it belongs."""
    found = {path: key_bytes(path.read_bytes()) for path in private_pem_in(_files(live.layout.base))}
    candidates = [path for path in _files(live.layout.analyst) if "token" in path.name or "session" in path.name]
    assert candidates, "the client keeps its session token in a file"
    for path in candidates:
        text = path.read_text().strip()
        value = json.loads(text) if text.startswith("{") else {"token": text}
        found[path] = next(str(item) for name, item in value.items() if "token" in name).encode()
    for path in live.layout.base.rglob("rank.key"):
        found[path] = path.read_bytes()
    return found


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


@pytest.mark.acceptance("SEC-01")
def test_no_key_or_token_is_anywhere_but_in_its_own_file(live: LiveFederation) -> None:
    secrets = secrets_of(live)
    # Root holders, committee, governance of four trusts, the analyst, the coordinator's three, two a node, rank keys.
    assert len(secrets) >= 3 + 2 + 8 + 1 + 3 + 8 + 4
    assert leaks(secrets, _files(live.layout.base)) == []
    assert leaks(secrets, tracked_files()) == []
    assert list(private_pem_in(tracked_files())) == []
    for path in secrets:
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.acceptance("SEC-01")
def test_used_enrolment_codes_are_nowhere_but_hashed(live: LiveFederation) -> None:
    code = EnrolmentCode.parse(live.coordinator("node", "invite", "RX9", "--name", "Nobody").strip())
    database = _files(live.layout.coordinator)
    assert leaks({Path("code"): code.secret.encode()}, database) == []


@pytest.mark.acceptance("SEC-01")
def test_no_process_can_dump_core(live: LiveFederation) -> None:
    for part in live.processes.parts:
        if part.process.poll() is None:
            limits = Path(f"/proc/{part.process.pid}/limits").read_text()
            (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
            assert line.split()[4:6] == ["0", "0"], part.name


@pytest.mark.acceptance("SEC-01")
def test_the_scanner_finds_every_planted_canary(tmp_path: Path) -> None:
    secret = bytes(range(100, 132))
    planted = []
    for place, form in enumerate(sorted(forms(secret))):
        path = tmp_path / f"log-{place}.txt"
        path.write_bytes(b'{"event": "x", "value": "' + form + b'"}\n')
        planted.append(path)
    (tmp_path / "clean.txt").write_text("nothing here")
    found = leaks({Path("home"): secret}, _files(tmp_path))
    assert [path for _, path in found] == sorted(planted)


# -- the end of the budget, and of the project -----------------------------------------------------------------------


def test_the_budget_ends_with_the_scope_named_and_a_restart_changes_nothing(live: LiveFederation) -> None:
    answered = 0
    for number in range(20):
        asked = live.query(f"SELECT count(*) AS n FROM person WHERE year_of_birth > {1900 + number}", "6.4")
        if asked.exit != 0:
            break
        answered += 1
    assert answered >= 3
    assert asked.exit == 20, asked.err
    assert "error: budget-exhausted" in asked.said
    assert re.search(r"the (project|analyst) budget at this trust", asked.said)
    totals = {
        ods: dict(live.ledger(ods, "SELECT scope, sum(rho_nano) FROM charge WHERE refunded = 0 GROUP BY scope"))
        for ods in TRUSTS
    }
    for ods in TRUSTS:
        # Every answer that left is paid for, once in each scope.
        released = live.ledger(ods, "SELECT sum(rho_nano) FROM release WHERE stored = 0 AND state NOT IN ('EXPIRED')")[
            0
        ][0]
        assert totals[ods]["node-wide"] == totals[ods]["dataset"] == released
        assert totals[ods]["project"] == totals[ods]["analyst"] >= released
        assert totals[ods]["project"] <= 2 * 10**9
    for ods in TRUSTS:
        live.kill_node(ods, signal.SIGTERM)
        live.start_node(ods)
    again = live.query("SELECT count(*) AS n FROM person WHERE year_of_birth > 1961", "6.4")
    assert again.exit == 20
    for ods in TRUSTS:
        sums = dict(live.ledger(ods, "SELECT scope, sum(rho_nano) FROM charge WHERE refunded = 0 GROUP BY scope"))
        assert sums == totals[ods]
        live.node(ods, "ledger", "verify")


def test_an_ended_project_is_refused(live: LiveFederation) -> None:
    before = spent(live)
    closed = live.ask("project", "close", PROJECT, "--findings", "Nothing.", "--kept", "Nothing.", "--yes")
    assert closed.exit == 0, closed.err
    asked = live.query(ONE_COUNT, "0.1")
    assert asked.exit == 12
    assert "error: project-ended" in asked.said
    assert spent(live) == before

"""One patient at three trusts: what is printed for them is what the three ledgers together charge, and never less.

A coordinator and three nodes run as real processes; the nodes keep hospital episodes, whose catalogue declares that a
patient may be at three trusts. One patient is at each of them. The analyst asks until no budget is left.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.factories.projects import application, today
from tests.factories.trust import policy_text
from tests.lib.coordinator import LiveCoordinator
from tests.lib.processes import command, wait_for
from tests.lib.real_gate import epsilon_at
from tests.lib.real_node import RealNode
from trustquery.client.connection import Connection
from trustquery.errors import TrustQueryError
from trustquery.identity import Permit, Root, SigningKey
from trustquery.privacy.budget import epsilon_of
from trustquery.privacy.promise import promises
from trustquery.projects.application import Application
from trustquery.projects.permits import permit_from

pytestmark = pytest.mark.timeout(300)
TRUSTS = ("RX1", "RX2", "RX3")
K = 3
EACH = 10_000_000
"""What a question costs at a trust, nano-rho; the cap of 12 months pays for four."""
CAP = "0.045"
LOG = math.log(1e8)


def people(trust: int) -> dict[str, list[dict[str, Any]]]:
    """Fifty people of this trust's own, and the one who is at all three."""
    own = [{"person_id": f"{trust}-{number}", "sex": "1", "year_of_birth": 1950 + number} for number in range(50)]
    return {"person": [*own, {"person_id": "everywhere", "sex": "2", "year_of_birth": 1911}]}


@dataclass
class Federation:
    """Three nodes and an analyst's home."""

    live: LiveCoordinator
    nodes: dict[str, RealNode]
    home: Path

    def tq(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the analyst's."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "TQ_HOME": str(self.home)}
        words = [command("tq"), *arguments]
        return subprocess.run(words, env=environment, input="", capture_output=True, text=True, timeout=120)

    def cost(self, sql: str) -> dict[str, Any]:
        """What would be charged."""
        done = self.tq("query", "cost", "-p", "stays", "-e", f"{epsilon_at(EACH):f}", "--format", "json", sql)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def run(self, sql: str) -> subprocess.CompletedProcess[str]:
        """Ask."""
        sure = ("--yes", "--max-epsilon", "10", "--wait", "60", "--format", "json")
        return self.tq("query", "run", "-p", "stays", "-e", f"{epsilon_at(EACH):f}", *sure, sql)

    def charged(self) -> dict[str, int]:
        """What each ledger holds against the trust as a whole, by a plain SQLite shell, nano-rho."""
        sql = "SELECT coalesce(sum(rho_nano), 0) FROM charge WHERE scope = 'node-wide' AND refunded = 0"
        return {ods: node.ledger(sql)[0][0] for ods, node in self.nodes.items()}


def stays(analyst: SigningKey) -> Application:
    """Ada's project, from yesterday on."""
    now = int(time.time())
    return application(
        key=analyst.public.hex(), submitted=now, starts=today(-1), ends=today(30), datasets=("nhs-episodes",),
        purpose="health-service-planning", min_trusts=3,
    )  # fmt: skip


def trust(live: LiveCoordinator, folder: Path, number: int, permit: Permit) -> RealNode:
    """A running node that has accepted the project."""
    ods = TRUSTS[number]
    (folder / ods).mkdir()
    rules = policy_text(trust=f'"{ods}"', id='"nhs-episodes"', rho_12_months=CAP, rho_lifetime="0.3")
    # Time enough for three nodes on two busy cores.
    node = RealNode(
        folder / ods, live.enrol(ods), Root.from_payload((folder / "root.json").read_bytes()),
        (live.home / "authority.pem").read_bytes(), f"localhost:{live.grpc_port}", "nhs-episodes",
        people(number), rules, "slot_ms = 250\nallowance_ms = 5000",
    )  # fmt: skip
    node.accept(permit, int(time.time()))
    return node


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    folder = tmp_path_factory.mktemp("federation")
    committee = {name: SigningKey.generate() for name in ("ann", "bob")}
    (folder / "committee.toml").write_text(
        "".join(f'[[people]]\nperson = "{n}"\nname = "{n}"\nkey = "{k.public.hex()}"\n' for n, k in committee.items())
    )
    live = LiveCoordinator(folder)
    nodes: dict[str, RealNode] = {}
    try:
        analyst = SigningKey.generate()
        found = stays(analyst)
        allowed = permit_from(found, 1, int(time.time()) - 10)
        nodes = {TRUSTS[number]: trust(live, folder, number, allowed) for number in range(K)}
        live.install_roster()
        assert live.add_project(found, analyst, *committee.values(), begins=allowed.valid_from) == allowed
        for node in nodes.values():
            node.start()
        home = live.sign_in("ada", analyst)
        with Connection.open(home) as connection:
            wait_for(lambda: _all_there(connection), 30, "three connected trusts")
        yield Federation(live, nodes, home.path)
    finally:
        for node in nodes.values():
            node.end()
        live.end()


def _all_there(connection: Connection) -> bool:
    try:
        return set(connection.project("stays").connected) == set(TRUSTS)
    except TrustQueryError:
        return False


def exact_epsilon(rho_nano: int) -> float:
    """rho + 2 sqrt(rho ln(1/delta)), in plain doubles."""
    rho = rho_nano / 1e9
    return rho + 2 * math.sqrt(rho * LOG)


@pytest.mark.acceptance("PRV-11")
def test_cost_and_result_say_the_patients_figure_and_three_ledgers_charge_it(federation: Federation) -> None:
    sql = "SELECT count(DISTINCT person_id) AS n FROM person WHERE sex = '2'"
    cost = federation.cost(sql)
    assert federation.charged() == dict.fromkeys(TRUSTS, 0)
    done = federation.run(sql)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [trust["answered"] for trust in result["trusts"]] == [True] * K
    charged = federation.charged()
    rho = cost["rho_nano"]
    # Told before, told after, and kept by each ledger: one figure at a trust, three times it for the patient.
    assert result["cost"]["rho_nano"] == rho
    assert [trust["rho_nano"] for trust in result["trusts"]] == [rho] * K
    assert charged == dict.fromkeys(TRUSTS, rho)
    for shown in (cost, result["cost"]):
        assert (shown["max_trusts"], Decimal(shown["delta"])) == (K, Decimal("1e-8"))
        assert Decimal(shown["epsilon_federation"]) == epsilon_of(sum(charged.values()))
        # Never below the exact figures, nor a last digit above them.
        for printed, exact in (("epsilon", exact_epsilon(rho)), ("epsilon_federation", exact_epsilon(K * rho))):
            assert 0 <= float(shown[printed]) - exact <= 1e-4
    assert f"{cost['epsilon_federation']} at up to {K}" in done.stderr


@pytest.mark.acceptance("PRV-11")
def test_the_promise_at_three_trusts_is_kept_to_the_end_of_the_budgets(federation: Federation) -> None:
    answered = sum(federation.charged().values()) // K // (EACH - 10)
    for number in range(10):
        done = federation.run(
            f"SELECT count(DISTINCT person_id) AS n FROM person WHERE year_of_birth > {1900 + number}"
        )
        if done.returncode:
            break
        answered += 1
    assert (done.returncode, "budget-exhausted" in done.stderr) == (20, True), done.stderr
    assert answered == 4
    charged = federation.charged()
    assert len(set(charged.values())) == 1
    (promised, *_) = promises(rho_12_months=45_000_000, rho_lifetime=300_000_000, trusts=K)
    for node in federation.nodes.values():
        shown = subprocess.run(node.cli("policy", "show"), capture_output=True, text=True, check=True, timeout=60)
        (year,) = [
            item
            for item in json.loads(shown.stdout)["data"]["promise"]
            if (item["trusts"], item["period"]) == (K, "12 months")
        ]
        assert (year["rho_nano"], Decimal(year["epsilon"])) == (45_000_000, promised.epsilon)
    assert epsilon_of(sum(charged.values())) <= promised.epsilon
    assert float(promised.epsilon) >= exact_epsilon(K * 45_000_000)

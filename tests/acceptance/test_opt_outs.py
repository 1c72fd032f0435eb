"""Somebody opts out, and a whole node process leaves them out: over NHS England's own sandbox of MESH, to the answer.

The node asks and takes replies by itself, in its own schedule. The exact vectors are computed beside it, from the very
data version that it prepared; its noise is as shipped, and smaller than the number of people who opt out.
"""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from node_agent.config import EngineConfig, parse_config
from node_agent.engines.duckdb import DuckDBEngine
from node_agent.sources.store import Store, store_key
from tests.lib.lone_node import DATASET, ODS, LoneNode, lone_node
from tests.lib.mesh import KEY, PASSWORD, SPINE, TRUST, mesh_client, mesh_sandbox
from tests.lib.prepared import processes
from tests.lib.processes import wait_for
from tests.lib.real_gate import epsilon_at
from tests.unit.optout.test_lists import numbers
from trustquery.catalogue import load
from trustquery.codelists import shipped
from trustquery.identity import Answer, Permit, write_private_file
from trustquery.language import compile_query
from trustquery.planning import compile_plan
from trustquery.protocol.answers import read_vector

pytestmark = pytest.mark.timeout(300)
PEOPLE = numbers(30)
SQL = (
    "SELECT count(DISTINCT person_id) AS n FROM emergency_attendance WHERE person_id IN "
    "(SELECT person_id FROM emergency_attendance WHERE age_on_arrival > 10)"
)
RHO = 4 * 10**8
SETTINGS = """slot_ms = 50
allowance_ms = 8000
[[nhs_numbers]]
dataset = "nhs-episodes"
format = "csv"
path = "numbers.csv"
person = "person_id"
number = "nhs_number"
[mesh]
url = "{address}"
mailbox = "{trust}"
recipient = "{spine}"
password_file = "password"
shared_key_file = "shared"
"""
CAPS = {
    f"{section}__{name}": "1000"
    for section in ("budget.node_wide", "budget.project", "budget.analyst", "dataset.budget")
    for name in ("rho_12_months", "rho_lifetime")
}
POLICY = CAPS | {
    "opt_out_treatments": '["applied", "exempt-with-basis"]',
    "max_rho": "100",
    "opt_outs": '[opt_outs]\nlists = ["national"]\nmax_age_days = 30',
}


class Trust:
    """The node, a second project, and NHS England's end of the mailbox."""

    def __init__(self, lone: LoneNode, address: str) -> None:
        self.lone, self.address, self.node = lone, address, lone.node
        self.exempt = lone.another("registry", "exempt-with-basis")

    def restart(self) -> None:
        """The schedule looks at once when a node starts."""
        self.node.end()
        self.node.start()

    def service(self, opted_out: int) -> list[str]:
        """The opt-out service's work on what it finds in its mailbox, the first so many of which have opted out.

        Returns what was sent.
        """
        with mesh_client(self.address, SPINE) as spine:
            wait_for(lambda: len(spine.list_messages()) == 1, 20, "the request")
            (name,) = spine.list_messages()
            message = spine.retrieve_message(name)
            lines = message.read().decode().splitlines()
            reply = "".join(f"{line}\n" for line in lines[opted_out:])
            spine.send_message(TRUST, reply.encode(), workflow_id=message.workflow_id, local_id=message.local_id)
            message.acknowledge()
        return [line.removesuffix(",") for line in lines]

    def version(self) -> int:
        return Store.open(self.node.home.store).data_version

    def ask(self, under: Permit | None = None) -> tuple[Answer, list[int]]:
        """One question, which may be answered by what is stored."""
        ((release_id, offer),) = self.lone.offers(1, reuse="stored", rho_nano=RHO, under=under)
        message = self.lone.observer.ask(ODS, release_id, offer).message
        return Answer.read(message.envelope), list(read_vector(message.vector)) if message.vector else []

    def exact(self, *, everybody: bool) -> list[int]:
        """What the engine finds in the data version in use, computed beside the node."""
        home = self.node.home
        store, config = Store.open(home.store), parse_config(home.config_file.read_text())
        engine = DuckDBEngine(
            store, EngineConfig(), load(DATASET), processes(), store_key(home, config), shipped(), everybody=everybody
        )
        query = compile_query(SQL, load(DATASET), epsilon=epsilon_at(RHO))
        return engine.vector(query, compile_plan(query, load(DATASET)))

    def spent(self) -> int:
        sql = "SELECT sum(rho_nano) FROM charge WHERE scope = 'node-wide' AND refunded = 0"
        return int(self.node.ledger(sql)[0][0] or 0)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    folder = tmp_path_factory.mktemp("opt-outs")
    day = datetime.datetime(2020, 1, 1)
    rows: list[dict[str, Any]] = [
        {"person_id": f"p{at}", "arrival_at": day, "age_on_arrival": 50} for at in range(len(PEOPLE))
    ]
    with mesh_sandbox() as address:
        settings = SETTINGS.format(address=address, trust=TRUST, spine=SPINE)
        home = folder / "home"
        home.mkdir()
        known = [f"p{at},{number}" for at, number in enumerate(PEOPLE)]
        (home / "numbers.csv").write_text("\n".join(["person_id,nhs_number", *known]) + "\n")
        write_private_file(home / "password", PASSWORD.encode())
        write_private_file(home / "shared", KEY)
        with lone_node(
            folder, {"emergency_attendance": rows}, SQL, settings, policy=POLICY, treatment="applied"
        ) as lone:
            yield Trust(lone, address)


def near(vector: list[int], exact: int) -> bool:
    """Within what the noise does: its standard deviation is 1.1 at this charge, so it is beyond 7 once in 10^10."""
    return len(vector) == 1 and abs(vector[0] - exact) <= 7


def test_who_opts_out_is_in_no_answer_from_the_next_data_version_on_and_none_from_before_is_sent_again(
    trust: Trust,
) -> None:
    # No list yet: what needs one is refused, and costs nothing; what is exempt is answered beside it.
    answer, _ = trust.ask()
    assert [item["code"] for item in answer.reasons] == ["policy-optout-unavailable"]
    assert trust.spent() == 0
    answer, everybody = trust.ask(trust.exempt)
    assert (answer.status, answer.data_version, near(everybody, 30)) == ("answer", 1, True)

    # The node has asked by itself. Nobody has opted out yet; at its next look the list is in force.
    sent = trust.service(0)
    assert sorted(sent) == sorted(PEOPLE)
    trust.restart()
    wait_for(lambda: trust.version() == 2, 30, "a data version with the list")
    assert trust.exact(everybody=False) == trust.exact(everybody=True) == [30]
    first, before = trust.ask()
    again, same = trust.ask()
    assert (first.status, first.data_version, again.status) == ("answer", 2, "answer")
    assert same == before
    assert near(before, 30)
    spent = trust.spent()

    # Fifteen opt out.
    asked = subprocess.run(trust.node.cli("optout", "refresh"), capture_output=True, text=True, timeout=60, check=False)
    assert asked.returncode == 0, asked.stderr
    trust.service(15)
    trust.restart()
    wait_for(lambda: trust.version() == 3, 30, "a data version with the new list")
    assert (trust.exact(everybody=False), trust.exact(everybody=True)) == ([15], [30])
    newer, after = trust.ask()
    assert (newer.status, newer.data_version) == ("answer", 3)
    assert near(after, 15)
    assert trust.spent() == spent + newer.rho_nano
    # The same question: stored under the new list alone, and never the older vector.
    assert trust.ask()[1] == after != before

    # The exempt project is asked of everybody still, and gets its own vector, stored for itself.
    _, exempt = trust.ask(trust.exempt)
    assert near(exempt, 30)
    assert trust.ask(trust.exempt)[1] == exempt != after
    assert trust.ask()[1] == after
    stored = trust.node.ledger("SELECT count(*) FROM stored_answer WHERE data_version = 3")
    assert stored == [(2,)]


def test_nobodys_number_stands_in_log_or_ledger(trust: Trust) -> None:
    said = (trust.node.folder / "node.log").read_bytes() + trust.node.home.ledger.read_bytes()
    assert not [number for number in PEOPLE if number.encode() in said]

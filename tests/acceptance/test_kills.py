"""Real SIGKILL of real nodes: at the entry of every gate step, and at random times.

Whatever moment a node dies at: no spend is lost, no release ever has two answers, a release that had STARTED is never
run again, and the federation goes on. Four nodes take part in each round, so that a round tests four deaths. Each step
is tried twice and twelve kills come at random; ``--full-size`` makes it five times, and forty more at random.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from node_agent.budget.port import unpack
from node_agent.gate.gate import STEPS
from tests.lib.federation import PROJECT, TRUSTS, LiveFederation
from tests.lib.processes import wait_for
from trustquery.identity import Answer

KILLS_PER_STEP, SAMPLED_PER_STEP = 5, 1
RANDOM_KILLS, SAMPLED_RANDOM = 40, 6
pytestmark = pytest.mark.timeout(900)
ROOM = {
    "rho_12_months = 4\nrho_lifetime = 4": "rho_12_months = 40\nrho_lifetime = 40",
    "rho_lifetime = 2": "rho_lifetime = 40",
    "rho_12_months = 2": "rho_12_months = 40",
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFederation]:
    federation = LiveFederation(tmp_path_factory.mktemp("kills"), killable=True, allowance_ms=3_000, policy={"": ROOM})
    try:
        federation.build()
        yield federation
    finally:
        federation.close()


_numbers = itertools.count()


def ask(live: LiveFederation, wait: int) -> dict[str, Any] | None:
    """A question never asked before; None when fewer than three trusts answered in time."""
    number = next(_numbers)
    sql = f"SELECT count(*) AS n FROM person WHERE year_of_birth > {1800 + number}"
    asked = live.query(sql, "0.05", wait=wait)
    return json.loads(asked.out) if asked.exit == 0 else None


def revive(live: LiveFederation) -> None:
    """Start every node that is down; the ledger verifies itself as it opens."""
    dead = [ods for ods in TRUSTS if not live.alive(ods)]
    if dead:
        with ThreadPoolExecutor(len(dead)) as pool:
            list(pool.map(live.start_node, dead))


def check_invariants(live: LiveFederation) -> dict[str, dict[str, str]]:
    """Everything that must hold at rest; returns node to release to state."""
    states: dict[str, dict[str, str]] = {}
    held = {
        (node, release): (bytes(envelope), bytes(vector))
        for node, release, envelope, vector in live.coordinator_rows(
            "SELECT node, release_id, envelope, vector FROM answers"
        )
    }
    for ods in TRUSTS:
        rows = live.ledger(ods, "SELECT release_id, state, stored, rho_nano FROM release")
        charges = dict(
            live.ledger(ods, "SELECT release_id, rho_nano FROM charge WHERE scope = 'node-wide' AND refunded = 0")
        )
        outbox = dict(live.ledger(ods, "SELECT release_id, bytes FROM outbox"))
        leaves = live.ledger(ods, "SELECT release_id, kind, payload FROM leaf ORDER BY seq")
        kinds: dict[str, list[str]] = {}
        for release, kind, payload in leaves:
            kinds.setdefault(release, []).append(kind)
            if kind == "committed":
                # The bytes that may leave are the bytes that were committed.
                assert json.loads(payload)["outbox_hash"] == hashlib.sha256(outbox[release]).hexdigest()
        states[ods] = {}
        for release, state, stored, rho in rows:
            states[ods][release] = state
            own = kinds[release]
            # STARTED at most once, drawn and committed at most once.
            assert own.count("started") <= 1, (ods, release, own)
            assert own.count("committed") <= 1, (ods, release, own)
            # Charged unless nothing was read.
            assert (charges.get(release) == rho) == (state != "EXPIRED" and not stored), (ods, release, state)
            if state == "DEAD":
                assert "committed" not in own
            content = outbox.get(release)
            if content is not None:
                envelope, vector = unpack(bytes(content))
                answer = Answer.read(envelope)
                assert answer.status == ("answer" if "committed" in own else "no-answer")
                if (ods, release) in held:
                    # What the coordinator has is byte for byte what the ledger holds: never two answers.
                    assert held[ods, release] == (envelope, vector)
    return states


def at_rest(live: LiveFederation) -> None:
    """Wait until no release is under way anywhere."""

    def done() -> bool:
        return not any(
            live.ledger(ods, "SELECT 1 FROM release WHERE state NOT IN ('SENT', 'DEAD', 'EXPIRED', 'WITHHELD') LIMIT 1")
            for ods in TRUSTS
        )

    wait_for(done, 30, "releases to end")


_BEFORE = {"SENT"}  # nothing was entered when it died; the re-offered query is answered as if nothing had been
_STEPS = [name for name, _ in STEPS]
EXPECTED = {
    name: (
        _BEFORE
        if _STEPS.index(name) <= _STEPS.index("reserve")
        else {"EXPIRED"}
        if name == "start"
        else {"DEAD"}
        if _STEPS.index(name) <= _STEPS.index("commit")
        else {"SENT", "WITHHELD"}
    )
    for name in _STEPS
}


def _rounds(times: int) -> list[tuple[str, ...]]:
    """Every step so many times, four deaths a round, a different node for a step each time."""
    deaths = [step for _ in range(times) for step in _STEPS]
    return [tuple(deaths[place : place + len(TRUSTS)]) for place in range(0, len(deaths), len(TRUSTS))]


ROUNDS = [pytest.param(steps, id="-".join(steps)) for steps in _rounds(SAMPLED_PER_STEP)] + [
    pytest.param(steps, id=f"{'-'.join(steps)}-more", marks=pytest.mark.full_size)
    for steps in _rounds(KILLS_PER_STEP - SAMPLED_PER_STEP)
]


@pytest.mark.parametrize("steps", ROUNDS)
def test_sigkill_at_the_entry_of_steps(live: LiveFederation, steps: tuple[str, ...]) -> None:
    # Shifted from round to round, so that no step always meets the same node.
    order = list(TRUSTS)[next(_numbers) % len(TRUSTS) :] + list(TRUSTS)
    victims = dict(zip(order, steps, strict=False))
    for ods, step in victims.items():
        live.trigger(ods).write_text(step)
    before = {ods: {row[0] for row in live.ledger(ods, "SELECT release_id FROM release")} for ods in TRUSTS}
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask, live, 12)
        wait_for(partial(live.all_dead, list(victims)), 20, f"the kills at {steps}")
        for ods in victims:
            assert live.nodes[ods].process.returncode == -signal.SIGKILL
            assert not live.trigger(ods).exists()
        revive(live)
        asking.result()
    at_rest(live)
    states = check_invariants(live)
    for ods, step in victims.items():
        new = {release: state for release, state in states[ods].items() if release not in before[ods]}
        assert len(new) <= 1
        assert set(new.values()) <= EXPECTED[step], (step, ods, new)


@pytest.mark.parametrize("most", [SAMPLED_RANDOM, pytest.param(RANDOM_KILLS, marks=pytest.mark.full_size)])
def test_sigkill_at_random_times(live: LiveFederation, most: int) -> None:
    chance = random.Random(20261121)
    kills = 0
    while kills < most:
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(ask, live, 12)
            for ods in chance.sample(list(TRUSTS), 4):
                time.sleep(chance.uniform(0.0, 1.1))
                live.kill_node(ods)
                kills += 1
            revive(live)
            asking.result()
        at_rest(live)
        check_invariants(live)


def test_after_all_that_the_federation_answers_and_every_ledger_verifies(live: LiveFederation) -> None:
    found = ask(live, 20)
    assert found is not None
    assert [trust["answered"] for trust in found["trusts"]] == [True] * 4
    for ods in TRUSTS:
        live.node(ods, "ledger", "verify")
    assert PROJECT in live.coordinator("project", "list")

"""From offer to answer over a real link: a node's own process behind TLS, its gate, ledger, engine, noise and slots.

The other end is the observer of the timing tests: it offers, and notes when the answer's last byte came.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.engine import data
from node_agent.inputs import InputFolder
from node_agent.sources.store import install
from tests.factories.trust import People, key, policy_text, statement_since
from tests.lib.observer import Observer
from tests.lib.processes import wait_for
from tests.lib.real_node import RealNode
from trustquery.catalogue import load
from trustquery.identity import Answer, Input, Intent, Member, NodeEntry, Permit, Roster
from trustquery.model import Query
from trustquery.planning import PLAN_FORMAT, compile_plan
from trustquery.protocol.messages import Documents, Offer

__all__ = ["offer_to_answer"]

NODE = "RX1"
HOURS = 3_600
ENGINE = "\n[engine]\nmemory_mb = 8192\ncache_mb = 8192\nthreads = 2"
"""Below [answer], whose settings are those that a node has by default."""
RULES = {
    "id": f'"{data.CATALOGUE}"',
    "trust": f'"{NODE}"',
    "min_trusts": "1",
    "unknown_keys": "true",
    "max_rho": "1",
    "max_delta": "0.001",
    "max_cells": "100000",
    "rho_12_months": "100",
    "rho_lifetime": "100",
    "delta_12_months": "0.01",
    "delta_lifetime": "0.01",
}


def _rules() -> str:
    """A policy that allows all of the questions; every cap is wide."""
    lines = []
    for line in policy_text().splitlines():
        name = line.split(" = ")[0]
        lines.append(f"{name} = {RULES[name]}" if name in RULES else line)
    return "\n".join(lines)


def offer_to_answer(folder: Path, hospital: data.Hospital, queries: Mapping[str, Query]) -> dict[str, float]:
    """By question, seconds from an offer's first byte to the last of its answer, with a node's default slots.

    Raises:
        RuntimeError: a question was not answered.
    """
    now, observer, people = int(time.time()), Observer("test"), People()
    enrolled = observer.enrol(NODE)
    entry = NodeEntry(node=NODE, ods=NODE, name=NODE, key=enrolled.key.public.hex(), tls_key_sha256="0" * 64)
    since = {"issued": now - 60, "expires": now + HOURS, "nodes": (entry,)}
    roster = Roster(**(people.the_roster.model_dump() | since))
    member = Member(**(people.the_permit.members[0].model_dump() | {"training_expires": now + HOURS}))
    wide = {
        "min_trusts": 1,
        "rho_nano": 100 * 10**9,
        "delta_atto": 10**16,
        "datasets": (data.CATALOGUE,),
        "members": (member,),
    }
    permit = Permit(**(people.the_permit.model_dump() | wide | {"valid_from": now - 60, "expires": now + HOURS}))
    observer.documents = Documents(
        roster.sign(key("root0"), key("root1")).encode(),
        statement_since(people, now - 60),
        (permit.sign(key("ann"), key("bob")).encode(),),
    )
    node = RealNode(
        folder, enrolled, people.root, observer.authority.certificate_pem, observer.address, data.CATALOGUE,
        {"admission": []}, _rules(), ENGINE,
    )  # fmt: skip
    _with_data(node, hospital)
    try:
        node.accept(permit, now)
        node.start()
        wait_for((node.home.documents / "revocations.dsse").exists, 10, "the documents")
        found = {}
        for name, query in queries.items():
            # Twice: the first reads and decrypts columns.
            for _ in range(2):
                found[name] = _ask(observer, query, permit, now)
        return found
    finally:
        node.end()
        observer.stop()


def _with_data(node: RealNode, hospital: data.Hospital) -> None:
    """The hospital's store in place of the node's own, and the small areas among its public tables."""
    place = node.home.store / hospital.store.folder.name
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(hospital.store.folder, place)
    install(node.home.store, dataclasses.replace(hospital.store, folder=place))
    path = node.home.keys / "store.key"
    path.write_bytes(hospital.key)
    InputFolder(node.home.inputs).install(data.areas())


def _ask(observer: Observer, query: Query, permit: Permit, now: int) -> float:
    shelf, catalogue = data.public(), load(data.CATALOGUE)
    plan = compile_plan(query, catalogue, shelf)
    release_id = hashlib.sha256(f"{query.sha256} {time.time_ns()}".encode()).hexdigest()
    intent = Intent(
        federation="test", release_id=release_id, project=permit.project, permit_hash=permit.sha256,
        query_hash=query.sha256, plan_hash=plan.sha256, plan_format=PLAN_FORMAT, catalogue_hash=catalogue.sha256,
        inputs=tuple(Input(id=pin.id, version=pin.version, sha256=pin.sha256) for pin in query.inputs),
        rho_nano=plan.rho_nano, delta_atto=query.delta_atto, mode="local", nodes=(NODE,), min_trusts=1, reuse="fresh",
        opt_out_treatment="synthetic-data", disclosure_profile="none", as_of=query.as_of, not_after=now + HOURS,
        key_id=key("ada").key_id, key_kind="file",
    )  # fmt: skip
    offer = Offer(intent.sign(key("ada")).encode(), permit.sign(key("ann"), key("bob")).encode(), query.payload())
    seen = observer.ask(NODE, release_id, offer)
    said = Answer.read(seen.message.envelope)
    if said.status != "answer":
        raise RuntimeError(f"{said.status}: {said.reasons}")
    return seen.seconds

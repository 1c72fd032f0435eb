"""What a node still waits for before it can answer, each with the command that brings it."""

from __future__ import annotations

from node_agent.cli.opening import documents_of, now, policies_of
from node_agent.config import Home, load_config
from trustquery.errors import TrustQueryError

__all__ = ["waits_for"]


def waits_for(home: Home) -> list[str]:
    """In words, in the order in which to do them; empty for a node that can answer.

    It reads what is on the disk and decides nothing: the gate refuses until each of these is there.
    """
    from node_agent.sources.store import Store

    found, policies, documents = [], policies_of(home), documents_of(home)
    try:
        listed = documents.roster(now()).node(policies.node) is not None
    except TrustQueryError:
        listed = False
    if not listed:
        found.append("a roster that lists this node: the federation's root holders sign it")
    try:
        _ = policies.governance
    except TrustQueryError:
        found.append("people who decide for this trust: tq-node config people PERSON:NAME:KEY PERSON:NAME:KEY")
    if not load_config(home).sources:
        found.append("data: write a [[source]] into node.toml")
    try:
        Store.open(home.store)
    except TrustQueryError:
        found.append("prepared data: tq-node source refresh")
    try:
        policies.policy()
    except TrustQueryError:
        found.append("a signed policy: tq-node policy sign POLICY.toml, then tq-node policy activate FILE.dsse")
    if not any(policies.given(project) for project in documents.projects()):
        found.append("a project that the trust has accepted: tq-node project accept PROJECT")
    return found

"""Small valid signed documents, with any field changed."""

from __future__ import annotations

from typing import Any

from trustquery.identity import Intent, LawfulBasis, Member, NodeEntry, Permit, Person, Root, Roster, SigningKey
from trustquery.planning import PLAN_FORMAT

__all__ = ["COORDINATOR", "NOW", "STATEMENT", "intent", "node_entry", "permit", "person", "root", "roster"]

NOW = 1_790_000_000
COORDINATOR = SigningKey.generate()
"""The coordinator's own key, which signs the head of its log."""
STATEMENT = SigningKey.generate()
"""Signs revocation statements."""
DAY = 86_400


def root(*keys: SigningKey, threshold: int = 2, federation: str = "test") -> Root:
    """A trust anchor."""
    return Root(
        federation=federation, version=1, previous="", keys=tuple(key.public.hex() for key in keys), threshold=threshold
    )


def person(name: str, key: SigningKey) -> Person:
    """Somebody with a key."""
    return Person(person=name, name=name.title(), key=key.public.hex())


def node_entry(ods: str, key: SigningKey) -> NodeEntry:
    """A node on the roster."""
    return NodeEntry(node=ods, ods=ods, name=f"Trust {ods}", key=key.public.hex(), tls_key_sha256="0" * 64)


def roster(nodes: tuple[NodeEntry, ...], committee: tuple[Person, ...], **changed: Any) -> Roster:
    """A roster in force at ``NOW``."""
    fields: dict[str, Any] = {
        "federation": "test",
        "version": 1,
        "issued": NOW - 10,
        "expires": NOW + 20 * DAY,
        "coordinator_key": COORDINATOR.public.hex(),
        "statement_keys": (STATEMENT.public.hex(),),
        "nodes": nodes,
        "committee": committee,
        "committee_threshold": 2,
    }
    return Roster(**(fields | changed))


def permit(key: SigningKey, **changed: Any) -> Permit:
    """A permit in force at ``NOW`` with one member."""
    member = Member(
        person="ada",
        name="Ada",
        organisation="University",
        role="lead",
        key=key.public.hex(),
        key_kind="file",
        training_body="ONS",
        training_expires=changed.pop("training_expires", NOW + 300 * DAY),
    )
    fields: dict[str, Any] = {
        "federation": "test",
        "project": "stays",
        "version": 1,
        "application": "0a" * 32,
        "title": "Stays",
        "lay_summary": "How long people stay in hospital.",
        "purpose": "health-research",
        "lawful_basis": LawfulBasis(article_6="6(1)(e)", article_9="9(2)(j)", common_law="anonymous output"),
        "members": (member,),
        "datasets": ("omop-5.4",),
        "rho_nano": 10**9,
        "delta_atto": 0,
        "opt_out_treatment": "synthetic-data",
        "disclosure_profile": "none",
        "min_trusts": 2,
        "valid_from": NOW - 10,
        "expires": NOW + 30 * DAY,
    }
    return Permit(**(fields | changed))


def intent(key: SigningKey, **changed: Any) -> Intent:
    """An intent by that key; its hashes are made up unless given."""
    fields: dict[str, Any] = {
        "federation": "test",
        "release_id": "ab" * 32,
        "project": "stays",
        "permit_hash": "00" * 32,
        "query_hash": "01" * 32,
        "plan_hash": "02" * 32,
        "plan_format": PLAN_FORMAT,
        "catalogue_hash": "03" * 32,
        "inputs": (),
        "rho_nano": 1000,
        "delta_atto": 0,
        "mode": "local",
        "nodes": ("RX1", "RX2", "RX3"),
        "min_trusts": 2,
        "reuse": "stored",
        "opt_out_treatment": "synthetic-data",
        "disclosure_profile": "none",
        "as_of": "2000-01-01",
        "not_after": NOW + 60,
        "key_id": key.key_id,
        "key_kind": "file",
    }
    return Intent(**(fields | changed))

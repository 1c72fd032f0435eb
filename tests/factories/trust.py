"""One trust's world of signed documents, consistent with each other: a test changes one and signs it again."""

from __future__ import annotations

import dataclasses
import hashlib
from functools import cache, cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.factories.catalogues import made_up
from trustquery.catalogue import Catalogue, ColumnType
from trustquery.codelists import PublicTables, shipped
from trustquery.identity import (
    Acceptance,
    Input,
    Intent,
    LawfulBasis,
    Member,
    NodeEntry,
    Permit,
    Person,
    Revocations,
    Root,
    Roster,
    SigningKey,
)
from trustquery.model import Aggregate, AggregateRef, ColumnRef, Key, KeyRef, Output, Query, Scan
from trustquery.model.terms import Bound, Terms
from trustquery.planning import PLAN_FORMAT, Plan, compile_plan
from trustquery.policy import Policy

__all__ = ["NOW", "People", "key", "person", "policy_text", "question", "signed_policy", "statement_since"]

NOW = 1_800_000_000
DAY = 86_400


@cache
def key(name: str) -> SigningKey:
    """One key a name, the same in every process: what a seed replays is signed with the same bytes."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"test key {name}".encode()).digest()))


def person(name: str) -> Person:
    """A person with a key of their own."""
    return Person(person=name, name=name.title(), key=key(name).public.hex())


def question(*, rho_nano: int = 1_000_000, groups: int = 1, **changes: Any) -> Query:
    """People by sex: three values and the two extra cells."""
    catalogue = made_up()
    values = tuple(item.value for item in catalogue.table("person").column("sex").domain)  # type: ignore[union-attr]
    facts: dict[str, Any] = {
        "catalogue_id": catalogue.id,
        "catalogue_version": catalogue.version,
        "catalogue_sha256": catalogue.sha256,
        "inputs": (),
        "relation": Scan("p", "person"),
        "keys": (Key("sex", ColumnRef("p", "sex"), ColumnType.TEXT, values),),
        "aggregates": (Aggregate("count_distinct_person"),),
        "outputs": (Output("sex", KeyRef(0)), Output("people", AggregateRef(0))),
        "terms": (Terms(Bound("rows", groups, 1), rho_nano),),
        "as_of": "2000-01-01",
    }
    return Query(**(facts | changes))


def policy_text(*, profiles: str = "", review_minutes: str = "", opt_outs: str = "", **changes: str) -> str:
    """A policy in TOML; ``changes`` replaces the value of a key where it first stands.

    ``deny__projects`` is the key ``projects`` where it first stands from ``[deny]`` on.

    ``review_minutes``: how long people look; "" where nothing is said of it.

    ``profiles``: caps in 90 days and for life, separated by a blank; "" for no such section.
    ``opt_outs``: that section, whole; "" for none.
    """
    lines = [*POLICY.splitlines(), *opt_outs.splitlines()]
    if review_minutes:
        lines.insert(lines.index("[review]") + 1, f"minutes = {review_minutes}")
    if profiles:
        quarter, lifetime = profiles.split()
        lines += ["[profiles]", f"rho_90_days = {quarter}", f"rho_lifetime = {lifetime}"]
    for name, value in changes.items():
        section, _, name = name.rpartition("__")
        start = lines.index(f"[{section}]") if section else 0
        place = next(number for number, line in enumerate(lines) if number >= start and line.startswith(f"{name} ="))
        lines[place] = f"{name} = {value}"
    return "\n".join(lines)


def statement_since(people: People, issued: int) -> bytes:
    """The statement's envelope as if it was issued then, seconds since 1970, for ten days."""
    facts = people.the_statement.model_dump() | {"issued": issued, "expires": issued + 10 * DAY}
    return Revocations(**facts).sign(key("statement")).encode()


def signed_policy(*names: str, **changes: str) -> bytes:
    """A policy's envelope, signed by these people; ``changes`` as for ``policy_text``."""
    return Policy.from_toml(policy_text(**changes)).sign(*map(key, names)).encode()


POLICY = """
format = "tq-policy-2"
federation = "test"
trust = "ash"
version = 1
bootstrap = true
hours = "any"

[budget.node_wide]
rho_12_months = 0.5
rho_lifetime = 2
delta_12_months = 0
delta_lifetime = 0

[budget.project]
rho_12_months = 0.3
rho_lifetime = 0.3
delta_12_months = 0
delta_lifetime = 0

[budget.analyst]
rho_12_months = 0.2
rho_lifetime = 1
delta_12_months = 0
delta_lifetime = 0

[[dataset]]
id = "made-up"
tables = "all-by-catalogue-role"

[dataset.budget]
rho_12_months = 0.4
rho_lifetime = 2
delta_12_months = 0
delta_lifetime = 0

[who]
projects = "any-accepted"
organisations = "any"
roles = ["lead", "analyst"]
purposes = ["health-service-planning"]
key_kinds = ["file"]
min_training_days = 0
max_queries_per_hour = 100

[queries]
aggregates = ["count", "count_distinct_person", "sum", "histogram"]
modes = ["local"]
max_rho = 0.1
max_delta = 0
max_cells = 100
finest_date = "time"
min_released_count = 0
opt_out_treatments = ["synthetic-data"]
disclosure_profiles = ["none"]
min_trusts = 2
unknown_keys = false
per_trust_figures = true
trust_key = true
show_budget_left = true

[documents]
revocations_max_age_hours = 48

[review]
every_query = false
of = []
above_rho = 1000
above_cells = 1000000
template = []

[deny]
projects = []
people = []
organisations = []
tables = []
columns = []
queries = []
"""


@dataclasses.dataclass
class People:
    """Everybody's documents.

    Attributes:
        roster, statement, permit, member, acceptance, intent: changes to the fields of each.
        policy: changes to the policy's text.
        public: the public tables that the analyst has.
    """

    roster: dict[str, Any] = dataclasses.field(default_factory=dict)
    statement: dict[str, Any] = dataclasses.field(default_factory=dict)
    permit: dict[str, Any] = dataclasses.field(default_factory=dict)
    member: dict[str, Any] = dataclasses.field(default_factory=dict)
    acceptance: dict[str, Any] = dataclasses.field(default_factory=dict)
    intent: dict[str, Any] = dataclasses.field(default_factory=dict)
    policy: dict[str, str] = dataclasses.field(default_factory=dict)
    query: Query = dataclasses.field(default_factory=question)
    catalogue: Catalogue = dataclasses.field(default_factory=made_up)
    public: PublicTables = dataclasses.field(default_factory=shipped)

    @property
    def root(self) -> Root:
        """Two of three sign."""
        return Root(
            federation="test",
            version=1,
            previous="",
            keys=tuple(key(f"root{n}").public.hex() for n in range(3)),
            threshold=2,
        )

    @cached_property
    def the_roster(self) -> Roster:
        """Nodes ash and birch, committee ann and bob."""
        nodes = tuple(
            NodeEntry(node=name, ods=f"RX{n}", name=name, key=key(name).public.hex(), tls_key_sha256="0" * 64)
            for n, name in enumerate(("ash", "birch"))
        )
        facts: dict[str, Any] = {
            "federation": "test",
            "version": 1,
            "issued": NOW - DAY,
            "expires": NOW + DAY,
            "coordinator_key": key("coordinator").public.hex(),
            "statement_keys": (key("statement").public.hex(),),
            "nodes": nodes,
            "committee": (person("ann"), person("bob")),
            "committee_threshold": 2,
        }
        return Roster(**(facts | self.roster))

    @cached_property
    def the_statement(self) -> Revocations:
        """Nothing is revoked, said an hour ago."""
        facts: dict[str, Any] = {
            "federation": "test",
            "version": 1,
            "issued": NOW - 3_600,
            "expires": NOW + 20 * DAY,
            "revoked": (),
        }
        return Revocations(**(facts | self.statement))

    @cached_property
    def the_permit(self) -> Permit:
        """Project stays, with ada."""
        member: dict[str, Any] = {
            "person": "ada",
            "name": "Ada",
            "organisation": "University",
            "role": "analyst",
            "key": key("ada").public.hex(),
            "key_kind": "file",
            "training_body": "ONS",
            "training_expires": NOW + 100 * DAY,
        }
        facts: dict[str, Any] = {
            "federation": "test",
            "project": "stays",
            "version": 1,
            "application": "0a" * 32,
            "title": "Stays",
            "lay_summary": "How long people stay",
            "purpose": "health-service-planning",
            "lawful_basis": LawfulBasis(article_6="6(1)(e)", article_9="9(2)(h)", common_law="anonymous"),
            "members": (Member(**(member | self.member)),),
            "datasets": ("made-up",),
            "rho_nano": 10**9,
            "delta_atto": 0,
            "opt_out_treatment": "synthetic-data",
            "disclosure_profile": "none",
            "min_trusts": 2,
            "valid_from": NOW - DAY,
            "expires": NOW + 30 * DAY,
        }
        return Permit(**(facts | self.permit))

    @cached_property
    def the_acceptance(self) -> Acceptance:
        """Ash says yes."""
        facts: dict[str, Any] = {
            "federation": "test",
            "node": "ash",
            "project": self.the_permit.project,
            "permit_hash": self.the_permit.sha256,
            "conditions": (),
            "rho_nano": 10**9,
            "accepted": NOW - 60,
            "expires": NOW + 20 * DAY,
        }
        return Acceptance(**(facts | self.acceptance))

    @cached_property
    def the_policy(self) -> Policy:
        """Ash's policy."""
        return Policy.from_toml(policy_text(**self.policy))

    @cached_property
    def plan(self) -> Plan:
        """The question's plan."""
        return compile_plan(self.query, self.catalogue, self.public)

    def the_intent(self, name: str = "one", **changes: Any) -> Intent:
        """Ada asks the question of ash and birch."""
        facts: dict[str, Any] = {
            "federation": "test",
            "release_id": hashlib.sha256(name.encode()).hexdigest(),
            "project": self.the_permit.project,
            "permit_hash": self.the_permit.sha256,
            "query_hash": self.query.sha256,
            "plan_hash": self.plan.sha256,
            "plan_format": PLAN_FORMAT,
            "catalogue_hash": self.catalogue.sha256,
            "inputs": tuple(Input(**pin.document()) for pin in self.query.inputs),
            "rho_nano": self.plan.rho_nano,
            "delta_atto": self.query.delta_atto,
            "mode": "local",
            "nodes": ("ash", "birch"),
            "min_trusts": 2,
            "reuse": "stored",
            "opt_out_treatment": "synthetic-data",
            "disclosure_profile": "none",
            "as_of": "2000-01-01",
            "not_after": NOW + 3_600,
            "key_id": key("ada").key_id,
            "key_kind": "file",
        }
        return Intent(**(facts | self.intent | changes))

"""A past to replay: decisions of the real evaluator on generated requests, recorded by the real ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from node_agent.budget import Decided, SqliteLedger
from trustquery.catalogue import load
from trustquery.identity import canonical
from trustquery.language import compile_query
from trustquery.planning import compile_plan
from trustquery.policy import Policy, PolicyRequest, evaluate
from trustquery.policy.facts import query_facts, released_minimum

__all__ = ["policies", "record", "requests"]

EXAMPLE = Path(__file__).resolve().parents[2] / "policies" / "examples" / "standard-acute-trust.toml"
DATASET = "nhs-episodes"
START = 1_735_689_600
HOUR = 3_600
QUESTIONS = (
    "SELECT count(*) AS n FROM admission",
    "SELECT count(DISTINCT person_id) AS n FROM admission WHERE age_on_admission > 64",
    """SELECT date_trunc('month', admission_date) AS month, count(*) AS n FROM admission
       WHERE admission_date >= DATE '2024-01-01' AND admission_date < DATE '2025-01-01' GROUP BY 1""",
    "SELECT count(*) AS n FROM admission WHERE primary_procedure IS NOT NULL",
)
"""The last is of a column that the policy forbids."""
CHANGES: tuple[dict[str, str], ...] = (
    {},
    {"max_rho = 0.5": "max_rho = 0.05"},
    {"max_rho = 0.5": "max_rho = 0.2", "min_trusts = 3": "min_trusts = 5"},
    {'"clinical-audit",': ""},
)
"""What each version in force changes in the example policy."""


def policies() -> tuple[Policy, ...]:
    """The versions in force, one after the other."""
    text = EXAMPLE.read_text(encoding="utf-8")
    found = []
    for number, changes in enumerate(CHANGES, 1):
        version = text.replace("version = 1 ", f"version = {number} ", 1)
        for old, new in changes.items():
            if old not in version:
                raise ValueError(f"the example policy no longer says {old}")
            version = version.replace(old, new, 1)
        found.append(Policy.from_toml(version))
    return tuple(found)


Choice = TypeVar("Choice")


def picked(number: int, what: str, options: Sequence[Choice]) -> Choice:
    """One of several, by a hash: the same past each time."""
    digest = hashlib.sha256(f"{what} {number}".encode()).digest()
    return options[int.from_bytes(digest[:4], "big") % len(options)]


def requests(count: int, policy: Policy) -> Iterator[PolicyRequest]:
    """Requests of four questions by 40 people in 12 projects, an hour apart: some allowed, some not."""
    catalogue = load(DATASET)
    queries = [compile_query(sql, catalogue, epsilon=Decimal(1)) for sql in QUESTIONS]
    facts = [query_facts(query, compile_plan(query, catalogue), catalogue) for query in queries]
    purposes = (*policy.who.purposes, "clinical-audit")
    for number in range(count):
        now = START + number * HOUR
        yield PolicyRequest(
            federation=policy.federation,
            node=policy.trust,
            project=f"project-{picked(number, 'project', range(12))}",
            person=f"person-{picked(number, 'person', range(40))}",
            role=picked(number, "role", ("lead", "analyst")),
            organisation="University",
            purpose=picked(number, "purpose", purposes),
            key_kind=picked(number, "key kind", ("file", "keyring", "file", "browser")),
            opt_out_treatment=picked(number, "opt-out", policy.queries.opt_out_treatments),
            disclosure_profile="none",
            released_minimum=released_minimum("none"),
            min_trusts=picked(number, "trusts", (2, 3, 4, 5)),
            training_expires=now + picked(number, "training", (-1, 30, 300)) * 24 * HOUR,
            now=now,
            revocations_age=picked(number, "statement", (1, 1, 20, 60)) * HOUR,
            **(picked(number, "query", facts) | {"rho_nano": picked(number, "rho", (10**6, 10**8, 4 * 10**8, 10**9))}),
        )


def record(ledger: SqliteLedger, versions: Sequence[Policy], asked: Sequence[PolicyRequest]) -> None:
    """Decide and record each request, as the gate does, under the version in force at its turn."""
    for number, request in enumerate(asked):
        policy = versions[number * len(versions) // len(asked)]
        decision = evaluate(policy, request)
        content = canonical.encode(request.document())
        release_id = f"{number:064x}"
        taken = Decided(release_id, content, decision.allowed, decision.rules, policy.version, policy.sha256)
        ledger.record(taken, request.now)

"""The documents that people write: permit, policy, committee, node settings. All for made-up people and data."""

from __future__ import annotations

import json
from collections.abc import Mapping

from demo.layout import PROJECT
from trustquery.identity import LawfulBasis, Member, Permit

__all__ = ["FEDERATION", "committee_toml", "permit_json", "policy_toml"]

FEDERATION = "demo"
_DAY = 86_400


def committee_toml(people: Mapping[str, tuple[str, str]]) -> str:
    """Person to (name, public key)."""
    return "".join(
        f'[[people]]\nperson = "{person}"\nname = "{name}"\nkey = "{key}"\n\n' for person, (name, key) in people.items()
    )


def permit_json(analyst_key: str, now: int) -> str:
    """The project's permit, unsigned."""
    permit = Permit(
        federation=FEDERATION,
        project=PROJECT,
        version=1,
        application="0a" * 32,
        title="Hospital visits and lengths of stay",
        lay_summary="How often people come to hospital, and for how long, so that wards can be planned.",
        purpose="health-service-planning",
        lawful_basis=LawfulBasis(
            article_6="6(1)(e) public task",
            article_9="9(2)(h) management of health systems",
            common_law="no confidential information leaves a trust; the demonstration's patients are synthetic",
        ),
        members=(
            Member(
                person="ada",
                name="Ada Mensah",
                organisation="Demonstration University",
                role="lead",
                key=analyst_key,
                key_kind="file",
                training_body="ONS accredited researcher",
                training_expires=now + 300 * _DAY,
            ),
        ),
        datasets=("omop-5.4",),
        rho_nano=4 * 10**9,
        delta_atto=10**12,
        opt_out_treatment="synthetic-data",
        disclosure_profile="none",
        min_trusts=3,
        valid_from=now - 60,
        expires=now + 30 * _DAY,
    )
    return json.dumps(permit.model_dump(mode="json"), indent=2)


def policy_toml(ods: str) -> str:
    """One trust's policy. Its caps are higher than real patients would get: the data are made up and few."""
    return f"""# The demonstration's policy of {ods}. policies/examples/ has one that is explained line by line.
format = "tq-policy-2"
federation = "{FEDERATION}"
trust = "{ods}"
version = 1
bootstrap = true
hours = "any"

[budget.node_wide]
rho_12_months = 4
rho_lifetime = 4
delta_12_months = 0.000001
delta_lifetime = 0.000001

[budget.project]
rho_12_months = 2
rho_lifetime = 2
delta_12_months = 0.000001
delta_lifetime = 0.000001

[budget.analyst]
rho_12_months = 2
rho_lifetime = 2
delta_12_months = 0.000001
delta_lifetime = 0.000001

[[dataset]]
id = "omop-5.4"
tables = "all-by-catalogue-role"

[dataset.budget]
rho_12_months = 4
rho_lifetime = 4
delta_12_months = 0.000001
delta_lifetime = 0.000001

[profiles]
rho_90_days = 0.03
rho_lifetime = 0.1

[who]
projects = "any-accepted"
organisations = "any"
roles = ["lead", "analyst"]
purposes = ["health-service-planning"]
key_kinds = ["file"]
min_training_days = 0
max_queries_per_hour = 600

[queries]
aggregates = ["count", "count_distinct_person", "sum", "histogram"]
modes = ["local"]
max_rho = 0.5
max_delta = 0.000001
max_cells = 20000
finest_date = "day"
min_released_count = 0
opt_out_treatments = ["synthetic-data"]
disclosure_profiles = ["none"]
min_trusts = 3
unknown_keys = true
per_trust_figures = true
trust_key = true
show_budget_left = true

[review]
every_query = false
of = []
above_rho = 0.5
above_cells = 20000
template = []
"""

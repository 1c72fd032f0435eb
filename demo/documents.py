"""The documents that people write: application, policy, committee, node settings. All for made-up people and data."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping

__all__ = ["FEDERATION", "application_toml", "committee_toml", "policy_toml"]

FEDERATION = "demo"


def committee_toml(people: Mapping[str, tuple[str, str]]) -> str:
    """Person to (name, public key)."""
    return "".join(
        f'[[people]]\nperson = "{person}"\nname = "{name}"\nkey = "{key}"\n\n' for person, (name, key) in people.items()
    )


def application_toml(analyst_key: str, today: datetime.date) -> str:
    """The project's application, as its lead writes it into a file."""
    ends, trained = (today + datetime.timedelta(days) for days in (30, 300))
    return f"""# Answers to the questions that `tq project questions` lists.
title = "Hospital visits and lengths of stay"
purpose = "health-service-planning"
lay_summary = "How often people come to hospital, and for how long, so that wards can be planned."
public_benefit = "Wards that are planned by what patients need have beds free when they are needed."
technical_summary = "Counts of visits by type and year, people with a condition by sex and age, mean length of stay."
request_category = "Health services and delivery"
funders = ["Not funded: a demonstration"]
ethics_references = ["Not needed: the patients are made up"]
other_committees = []
starts = "{today}"
ends = "{ends}"

organisation = "Demonstration University"
organisation_id = "ROR 00example"
organisation_sector = "Academic institute"
contact = "Ada Mensah"
contact_email = "ada@university.example"
sponsor = "Demonstration University"
dea_accredited = "yes"

datasets = ["omop-5.4"]
data_sensitivity = "Anonymous"
article_6 = "6(1)(e) public task"
article_9 = "9(2)(h) management of health systems"
common_law = "No confidential information leaves a trust; the demonstration's patients are synthetic."
opt_out_treatment = "synthetic-data"
opt_out_basis = "The patients are made up, so nobody can have opted out."
linkage = "None"
confidential_data = "Dates, types and reasons of hospital visits; sex and year of birth."
request_frequency = "One-off"
sublicence = "None"
terms = true
rho = "4"
delta_atto = 1000000000000
disclosure_profile = "none"
min_trusts = 3
output_review = "no"
privacy_processing = "Results are read by the team alone until they are published."
code_sharing = "Every released query is published by the federation."
outputs = []

[[team]]
person = "ada"
name = "Ada Mensah"
organisation = "Demonstration University"
role = "lead"
key = "{analyst_key}"
key_kind = "file"
training_body = "ONS accredited researcher"
training_expires = "{trained}"
"""


def policy_toml(ods: str, trusts: Collection[str] = ()) -> str:
    """One trust's policy. Its caps are higher than real patients would get: the data are made up and few.

    Args:
        trusts: whose nodes are the witnesses of its ledger, with the coordinator; none for a trust that does without.
    """
    others = ", ".join(f'"{name}"' for name in ("coordinator", *(name for name in trusts if name != ods)))
    quorum = (len(trusts) + 1) // 2 + 1
    rule = f"[witnesses]\nnames = [{others}]\nquorum = {quorum}\nfaulty = 1\n" if trusts else ""
    return f"""# The demonstration's policy of {ods}. policies/examples/ has one that is explained line by line.
format = "tq-policy-2"
federation = "{FEDERATION}"
trust = "{ods}"
version = 1
bootstrap = {"false" if trusts else "true"}
hours = "any"

{rule}
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

[documents]
revocations_max_age_hours = 48

[review]
every_query = false
of = []
above_rho = 0.5
above_cells = 20000
template = []
"""

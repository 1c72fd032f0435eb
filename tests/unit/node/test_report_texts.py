"""The draft assessment and the privacy notice: a change of the configuration is a change of the text."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from node_agent.config import parse_config
from node_agent.reports.dpia import draft
from node_agent.reports.evidence import Known
from node_agent.reports.notice import notice
from node_agent.reports.setting import Setting, dataset_of
from tests.factories.catalogues import made_up
from tests.factories.trust import NOW, People, policy_text
from trustquery.identity import Acceptance, LawfulBasis, Permit
from trustquery.policy import Policy
from trustquery.policy.promised import in_words

PEOPLE = People()
CONFIG = """
format = "tq-node-1"
[node]
ods = "RX1"
name = "Ash Trust"
[store]
encrypt = ENCRYPT
[[source]]
dataset = "made-up"
format = "csv"
path = "data"
"""
MARK = "**To be written by the trust: "


def project(acceptance: dict[str, Any] | None = None, **permit: Any) -> Known:
    found = Permit(**(PEOPLE.the_permit.model_dump() | permit))
    facts = PEOPLE.the_acceptance.model_dump() | {"permit_hash": found.sha256} | (acceptance or {})
    return Known(found, Acceptance(**facts))


def setting(*, rules: dict[str, str] | None = None, encrypt: str = "true", **changes: Any) -> Setting:
    policy = Policy.from_toml(policy_text(**(rules or {})))
    facts: dict[str, Any] = {
        "config": parse_config(CONFIG.replace("ENCRYPT", encrypt)), "node": "ash", "federation": "north",
        "coordinator": "coordinator.example:8444", "policy": policy, "people": ("Dr Grace Green", "Ivan Ives"),
        "datasets": (dataset_of(made_up(), "csv", policy.dataset_rule("made-up")),), "projects": (project(),),
        "now": NOW, "log_bytes": 60 * 2**20,
    }  # fmt: skip
    return Setting(**(facts | changes))


def both(found: Setting) -> tuple[str, str]:
    return draft(found), notice(found)


def basis(**changes: str) -> LawfulBasis:
    return LawfulBasis(**(PEOPLE.the_permit.lawful_basis.model_dump() | changes))


CHANGES: dict[str, tuple[Setting, str, str]] = {
    "a cap": (setting(rules={"rho_12_months": "0.25"}), "| everything this trust answers | 0.25 | 2 |", ""),
    "the purpose": (setting(projects=(project(purpose="clinical-audit"),)), "clinical audit", "Why: clinical audit."),
    "a summary": (setting(projects=(project(lay_summary="Beds"),)), "Why: health service planning. Beds", "Beds"),
    "a lawful basis": (
        setting(projects=(project(lawful_basis=basis(article_6="6(1)(c) by law")),)), "6(1)(c) by law", "6(1)(c) by law"
    ),
    "a condition": (
        setting(projects=(project({"conditions": ("Tell us first",)}),)), "Our conditions: Tell us first",
        "Our conditions: Tell us first",
    ),
    "a lower cap": (setting(projects=(project({"rho_nano": 5}),)), "rho 0.000000005", "rho 0.000000005"),
    "opt-outs": (
        setting(projects=(project(opt_out_treatment="exempt-with-basis"),)), "opt-outs are not applied",
        "opt-outs are not applied",
    ),
    "encryption": (setting(encrypt="false"), "not encrypted by the node", ""),
    "witnesses": (setting(rules={"bootstrap": "false"}), "nothing leaves before witnesses", ""),
    "reviews": (setting(rules={"every_query": "true"}), "every question; no time is set for it", ""),
    "reviews that are held": (
        setting(rules={"every_query": "true", "review_minutes": "2880"}), "two of them have 2,880 minutes", "",
    ),
    "the trust": (setting(node="birch"), "of the node birch", ""),
    "the coordinator": (setting(coordinator="other.example:1"), "other.example:1", "other.example:1"),
    "who signs": (setting(people=("Olu Okafor", "May Moss")), "Olu Okafor, May Moss", ""),
    "the logs": (setting(log_bytes=2**20), "they reach 1 MiB", "they reach 1 MiB"),
    "cells": (setting(rules={"max_cells": "7"}), "at most 7 cells", ""),
    "purposes answered": (
        setting(rules={"purposes": '["health-research"]'}), "This trust answers: health research",
        "no others: health research",
    ),
    "no policy": (setting(policy=None), "No policy is in force", "No policy is in force"),
    "no project": (setting(projects=()), "answers no project at present", "answers no project at present"),
}  # fmt: skip


@pytest.mark.parametrize(("found", "in_draft", "in_notice"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_configuration_is_a_change_of_the_text(found: Setting, in_draft: str, in_notice: str) -> None:
    plain = both(setting())
    for text, before, wanted in zip(both(found), plain, (in_draft, in_notice), strict=True):
        if wanted:
            assert text != before
            assert wanted in text
            assert wanted not in before


def test_what_the_policy_promises_stands_in_both_word_by_word() -> None:
    for rules in ({}, {"rho_12_months": "0.125", "rho_lifetime": "1.5"}):
        found = setting(rules=rules)
        assert found.policy is not None
        sentences = [f"{sentence[0].upper()}{sentence[1:]}." for sentence in in_words(found.policy)]
        assert len(sentences) >= 3
        for text in both(found):
            assert all(sentence in text for sentence in sentences)


def test_the_draft_has_the_seven_steps_and_marks_in_each_that_people_must_write() -> None:
    steps = draft(setting()).split("## Step ")[1:]
    assert [step.split(": ", 1)[1].split("\n", 1)[0] for step in steps] == [
        "identify the need", "describe the processing", "consider consultation",
        "assess necessity and proportionality", "identify and assess risks", "identify measures to reduce the risks",
        "sign off and record outcomes",
    ]  # fmt: skip
    assert all(MARK in step for step in steps)
    assert "name of the data protection officer" in steps[-1]
    assert "Dr Dee" in draft(setting(), dpo="Dr Dee")


def test_columns_stand_by_role_as_the_policy_leaves_them() -> None:
    narrow = '[{ name = "person", columns = { dimension = ["sex"], measure = [], join_only = [], forbidden = [] } }]'
    policy = Policy.from_toml(policy_text(tables=narrow))
    wide = dataset_of(made_up(), "csv", setting().policy.dataset_rule("made-up"))  # type: ignore[union-attr]
    found = dataset_of(made_up(), "csv", policy.dataset_rule("made-up"))
    assert found.named("dimension") == ("person.sex",)
    assert "person.sex" in wide.named("dimension")
    assert len(wide.named("dimension")) > 1
    columns = sum(len(table.columns) for table in made_up().tables)
    for item in (wide, found, dataset_of(made_up(), "csv", None)):
        assert sum(len(group.names) for group in item.columns) == columns
    nothing = dataset_of(made_up(), "csv", None)
    assert (nothing.answered, len(nothing.named("forbidden"))) == (False, columns)


@pytest.mark.parametrize(
    ("article_6", "article_9", "right"),
    [
        ("6(1)(e)", "9(2)(h)", "to object"), ("6(1)(f)", "9(2)(h)", "to object"),
        ("6(1)(a)", "9(2)(h)", "to withdraw your consent"), ("6(1)(e)", "9(2)(a)", "to withdraw your consent"),
        ("6(1)(b)", "9(2)(h)", "to take your data with you"),
    ],
)  # fmt: skip
def test_rights_follow_from_the_lawful_bases(article_6: str, article_9: str, right: str) -> None:
    found = notice(setting(projects=(project(lawful_basis=basis(article_6=article_6, article_9=article_9)),)))
    assert right in found
    neither = notice(setting(projects=(project(lawful_basis=basis(article_6="6(1)(c)")),)))
    assert right not in neither
    assert "to see your record" in neither


def test_the_notice_has_what_articles_13_and_14_ask_for() -> None:
    text = notice(setting(), contact="patients@ash.example", dpo="Dr Dee")
    for words in (
        "controller", "patients@ash.example", "Dr Dee", "Lawful basis under Article 6", "Condition under Article 9",
        "come from our own systems", "coordinator of north", "outside the United Kingdom", "How long we keep it",
        "Your rights", "Information Commissioner's Office", "No decision about you is made by a machine", "Opting out",
    ):  # fmt: skip
        assert words in text, words
    for option in ("--contact", "--dpo"):
        assert option not in text
        assert f"(`{option}`).**" in notice(setting())


def test_what_is_not_built_is_not_promised() -> None:
    """A review that has no deadline is told as the refusal that it is; so is a list too old."""
    for text in both(setting(projects=(project(opt_out_treatment="applied"),))):
        assert "refused while the list of them is too old" in text
    assert "no time is set for it, so these are refused" in draft(setting())
    text = notice(setting())
    assert "which limits what all of them together can tell" in " ".join(text.split())


def test_a_project_that_is_over_or_not_accepted_is_not_told() -> None:
    for known in (
        project({"expires": NOW}), project(expires=NOW, valid_from=NOW - 10), Known(PEOPLE.the_permit),
    ):  # fmt: skip
        for text in both(setting(projects=(known,))):
            assert "answers no project at present" in text
            assert PEOPLE.the_permit.lay_summary not in text


def test_other_peoples_words_are_only_words() -> None:
    bad = project(title="# Title\n| x", lay_summary="<script>alert(1)</script>\n\n## More")
    for text in both(setting(projects=(bad,))):
        assert "<script>" not in text
        assert "\n## More" not in text
        assert "### \\# Title \\| x\n" in text


def test_the_setting_is_told_whole() -> None:
    """Each field of it reaches a text, so that none is gathered for nothing."""
    told = "".join(both(setting()))
    for field in dataclasses.fields(Setting):
        if field.name not in ("policy", "projects", "datasets", "config", "now", "log_bytes"):
            value = getattr(setting(), field.name)
            assert (value if isinstance(value, str) else value[0]) in told, field.name

"""Catalogue text: what parses, what is refused, and where the error points."""

# ruff: noqa: E501 - one catalogue column, or one case, a line

import textwrap

import pytest

from trustquery.catalogue import Catalogue, Role, available, load, parse
from trustquery.errors import TrustQueryError

SMALL = """
format = "trustquery-catalogue/1"
id = "small"
version = 1
title = "Small"
description = "One table."

[unit]
description = "One patient."
declared_people = 100
max_trusts = 2

[domains.sex]
1 = "Male"
2 = "Female"

[domains.flag]
true = "Yes"
false = "No"

[[tables]]
name = "person"
title = "Person"
description = "One row per patient."
declared_rows = 100
columns = [
  { name = "person_id", type = "text", role = "person-key", description = "who" },
  { name = "sex", type = "integer", role = "dimension", domain = "sex", description = "sex" },
  { name = "smoker", type = "boolean", role = "dimension", domain = "flag", description = "smokes" },
  { name = "born", type = "date", role = "dimension", earliest = 1900-01-01, latest = "2030-12-31", description = "birth" },
]
"""


def problems(text: str) -> list[tuple[str, str]]:
    with pytest.raises(TrustQueryError) as caught:
        parse(text, name="small.toml")
    assert all(problem.code == "config-catalogue-invalid" for problem in caught.value.problems)
    assert all(problem.fields["catalogue"] == "small.toml" for problem in caught.value.problems)
    return [(problem.place, problem.fields["problem"]) for problem in caught.value.problems]


def test_domains_take_the_type_of_their_column_and_dates_may_be_bare() -> None:
    person = parse(SMALL, name="small").tables[0]
    sex, smoker, born = (person.column(name) for name in ("sex", "smoker", "born"))
    assert sex is not None
    assert smoker is not None
    assert born is not None
    assert [(item.value, item.label) for item in sex.domain or ()] == [(1, "Male"), (2, "Female")]
    assert [item.value for item in smoker.domain or ()] == [True, False]
    assert (born.earliest, born.latest) == ("1900-01-01", "2030-12-31")
    assert person.person_key == "person_id"


def test_the_hash_covers_every_value_and_survives_a_round_trip() -> None:
    catalogue = parse(SMALL, name="small")
    assert catalogue.sha256 == parse(SMALL + "\n# a comment\n", name="small").sha256
    assert catalogue.sha256 != parse(SMALL.replace("declared_rows = 100", "declared_rows = 101"), name="small").sha256
    assert Catalogue.model_validate_json(catalogue.model_dump_json()) == catalogue


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        ("version = 1", "version = 1.0", "version", "1.0 is a floating-point number; write a whole number"),
        ("version = 1", "version = inf", "version", "Infinity is a floating-point number; write a whole number"),
        ("declared_rows = 100", "declared_rows = 1e2", "tables.0.declared_rows", "1E+2 is a floating-point number; write a whole number"),
        ("1900-01-01", "1900-01-01T00:00:00", "tables.0.columns.3.earliest", "times are not used here; write a date"),
        ('domain = "sex"', 'domain = "sx"', "person.sex", "there is no domain sx; did you mean sex?"),
        ('1 = "Male"', 'm = "Male"', "person.sex", "domain sex has values that are not of type integer"),
        ('true = "Yes"', 'yes = "Yes"', "person.smoker", "domain flag has values that are not of type boolean"),
        ("[domains.sex]", "[domains.extra]\na = 'A'\n[domains.sex]", "domains.extra", "no column uses this domain"),
        ("declared_people = 100", "declared_people = 0", "unit.declared_people", "Input should be greater than 0"),
        ("max_trusts", "max_trust", "unit.max_trust", "Extra inputs are not permitted"),
        ('role = "person-key"', 'role = "dimension"', "person", "a person table has exactly one person-key column"),
        ("2 = ", "1 = ", "small.toml", "Cannot overwrite a value"),
    ],
)  # fmt: skip
def test_a_fault_is_refused_with_its_place(old: str, new: str, place: str, problem: str) -> None:
    assert old in SMALL
    found = problems(SMALL.replace(old, new, 1))
    assert any(here == place and problem in text for here, text in found), found


def test_all_faults_are_reported_together() -> None:
    text = SMALL.replace("version = 1", "version = 0").replace('role = "dimension", domain = "sex"', 'role = "key"')
    text = text.replace('[domains.sex]\n1 = "Male"\n2 = "Female"\n', "")
    assert [place for place, _ in problems(text)] == ["version", "person.sex.role"]


def test_text_that_is_no_catalogue_is_refused() -> None:
    assert problems("tables = 3")
    assert problems("domains = 3") == [("domains", "write [domains.NAME] sections")]
    assert problems(textwrap.dedent("[[tables]]\nname = 'x'\ncolumns = [3]\n"))


def test_shipped_catalogues_are_listed_and_loaded_once() -> None:
    assert available() == ("nhs-episodes", "omop-5.4")
    assert load("omop-5.4") is load("omop-5.4")
    with pytest.raises(TrustQueryError, match=r"did you mean omop-5\.4"):
        load("omop-5.3")
    with pytest.raises(TrustQueryError, match="does not ship here"):
        load("../../secrets")


def test_the_questions_file_is_no_catalogue() -> None:
    with pytest.raises(TrustQueryError):
        load("questions")
    assert {column.role for column in load("nhs-episodes").tables[0].columns} >= {Role.PERSON_KEY, Role.FORBIDDEN}

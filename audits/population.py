"""Made-up people in the shape of the catalogue ``nhs-episodes``, from a seed: the data, never the noise."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from trustquery.catalogue import load

__all__ = ["CATALOGUE", "PERSON", "Rows", "everybody", "row", "with_person"]

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Catalogue table name to rows."""

CATALOGUE = load("nhs-episodes")
PERSON = "the person"
"""The person key whose rows are there or not."""
PEOPLE = 300
COMMON_CODES = ("E11", "I21")
"""Diagnoses that every one of the people has, so that their counts stand far above any threshold audited."""


def row(table: str, person: str = PERSON, **values: Any) -> dict[str, Any]:
    """One row of a catalogue table; columns without a value are missing.

    Raises:
        ValueError: a column that the table does not have.
    """
    declared = CATALOGUE.table(table)
    names = [column.name for column in declared.columns] if declared is not None else []
    if unknown := set(values) - set(names):
        raise ValueError(f"{table} has no columns {sorted(unknown)}")
    return dict.fromkeys(names) | {"person_id": person} | values


def everybody(seed: int) -> dict[str, list[dict[str, Any]]]:
    """The data without the person: 300 people, most of whom have more rows than any bound keeps."""
    draw = random.Random(seed)
    tables: dict[str, list[dict[str, Any]]] = {table.name: [] for table in CATALOGUE.tables if table.kind == "person"}
    for number in range(PEOPLE):
        person = f"p{number}"
        sex = draw.choice(["1", "2", "9", None])
        tables["person"].append(row("person", person, sex=sex, imd_decile=draw.randint(1, 10)))
        for spell in range(draw.randint(0, 6)):
            tables["admission"].append(
                row(
                    "admission",
                    person,
                    spell_id=spell,
                    patient_classification=draw.choice(["1", "2", "3", "4", "5", None]),
                    age_on_admission=draw.randint(0, 100),
                    length_of_stay=draw.choice([None, 0, 1, 2, 5, 40]),
                )
            )
        for place, code in enumerate((*COMMON_CODES, draw.choice(["J18", "K80", "N39"])), start=1):
            tables["diagnosis"].append(row("diagnosis", person, spell_id=0, position=place, icd10=code, icd10_3=code))
        for _ in range(draw.randint(0, 4)):
            tables["lab_result"].append(
                row("lab_result", person, test_code="potassium", value=draw.uniform(2.5, 6.5)),
            )
    return tables


def with_person(rows: Rows, person: Rows) -> dict[str, list[Mapping[str, Any]]]:
    """The same data with the person's rows before all others, so that a choice by position shows."""
    return {table: [*person.get(table, ()), *held] for table, held in rows.items()}

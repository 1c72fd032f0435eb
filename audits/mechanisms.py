"""What is audited: a question, its bounds, and the one person who moves its vector as far as the bounds let anybody.

To audit another mechanism, add a row to ``MECHANISMS``: SQL over the catalogue ``nhs-episodes``, the arguments of
``compile_query`` in ``options``, and the person's rows. Give the person more rows, in more cells and with larger
values, than the bounds keep, and choose them so that what is kept reaches the bounds; the test
``test_the_person_is_the_worst_that_the_bounds_allow`` says whether they do. A bound of any form will do, because
checks read sensitivities and noise from the plan's blocks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audits.population import Rows, row
from trustquery.model.terms import L1_BITS, Bound, Terms

__all__ = ["MECHANISMS", "Mechanism", "named"]


@dataclass(frozen=True)
class Mechanism:
    """One row of the audit.

    Attributes:
        name: as it stands in the report.
        sql: the question, over ``nhs-episodes``.
        person: the rows whose presence is the secret, by table.
        epsilon: privacy loss asked for, at delta 1e-8. The larger, the sharper the audit: see ``audits.limits``.
        options: more arguments of ``compile_query``.
        terms: of each statistic, in place of those that the text compiles to.
        repeats: how often the same question is asked, at one charge.
        delta_atto: of a thresholded release, a delta to audit the threshold at in place of the plan's 1e-9, which no
            number of runs could see; the same functions compute and check the threshold.
    """

    name: str
    sql: str
    person: Rows
    epsilon: str = "5"
    options: Mapping[str, Any] = field(default_factory=dict)
    terms: tuple[Terms, ...] = ()
    repeats: int = 1
    delta_atto: int = 0


def _bounds(groups: int, rows: int) -> dict[str, int]:
    return {"max_groups_per_person": groups, "max_rows_per_group": rows}


def _admissions(number: int, **values: Any) -> list[dict[str, Any]]:
    return [row("admission", spell_id=spell, **values) for spell in range(number)]


UNKNOWN = "SELECT icd10_3, count(*) AS n FROM diagnosis GROUP BY icd10_3"

MECHANISMS: tuple[Mechanism, ...] = (
    Mechanism(
        "count of rows",
        "SELECT count(*) AS n FROM admission",
        {"admission": _admissions(40)},
        epsilon="1",
        options=_bounds(1, 3),
    ),
    Mechanism(
        "count of people",
        "SELECT sex, count(DISTINCT person_id) AS n FROM person GROUP BY sex",
        # Nobody else is in that cell.
        {"person": [row("person", sex="X"), row("person", sex="X")]},
        epsilon="1",
    ),
    Mechanism(
        "sum in fixed point",
        "SELECT sum(clamp(value, 0, 20)) AS s FROM lab_result WHERE test_code = 'potassium'",
        {"lab_result": [row("lab_result", test_code="potassium", value=v) for v in (1e308, math.inf, 20.0, 1e9)]},
        options=_bounds(1, 3),
    ),
    Mechanism(
        "sum with negative bounds",
        "SELECT sum(clamp(5 - length_of_stay, -30, 5)) AS s FROM admission",
        {"admission": _admissions(9, length_of_stay=1000)},
        options=_bounds(1, 2),
    ),
    Mechanism(
        "histogram",
        "SELECT histogram(age_on_admission, [18, 40, 65, 80]) AS h FROM admission",
        {"admission": _admissions(9, age_on_admission=70)},
        options=_bounds(1, 3),
    ),
    Mechanism(
        "histograms by cell",
        "SELECT patient_classification, histogram(age_on_admission, [18, 40, 65, 80]) AS h FROM admission"
        " GROUP BY patient_classification",
        {
            "admission": [
                item
                for kind in ("1", "2", "3")
                for item in _admissions(5, patient_classification=kind, age_on_admission=70)
            ]
        },
        options=_bounds(2, 3),
    ),
    Mechanism(
        "quantile from bins",
        "SELECT median(clamp(length_of_stay, 0, 10)) AS m FROM admission",
        {"admission": _admissions(9, length_of_stay=1000)},
        options=_bounds(1, 2),
    ),
    Mechanism(
        "many cells",
        "SELECT patient_classification, count(*) AS n FROM admission GROUP BY patient_classification",
        {
            "admission": [
                item for kind in ("1", "2", "3", "4", "5", "?") for item in _admissions(5, patient_classification=kind)
            ]
        },
        options=_bounds(4, 2),
    ),
    Mechanism(
        "total in a cell",
        "SELECT patient_classification, sum(clamp(length_of_stay, 0, 100)) AS nights FROM admission"
        " GROUP BY patient_classification",
        {
            "admission": [
                item
                for kind in ("1", "2", "3", "4", "5")
                for item in _admissions(5, patient_classification=kind, length_of_stay=1000)
            ]
        },
        terms=(Terms(Bound("total", 3, 0, 120), 300_000_000),),
    ),
    Mechanism(
        "totals over all cells",
        "SELECT patient_classification, sum(clamp(5 - length_of_stay, -30, 5)) AS nights FROM admission"
        " GROUP BY patient_classification",
        # All in one cell: spread over several, the same sizes move the vector less far.
        {"admission": _admissions(9, patient_classification="1", length_of_stay=1000)},
        terms=(Terms(Bound("l1", 0, 0, 100 << L1_BITS), 300_000_000),),
    ),
    Mechanism(
        "count by totals over all cells",
        "SELECT patient_classification, count(*) AS n FROM admission GROUP BY patient_classification",
        {"admission": _admissions(60, patient_classification="2")},
        epsilon="1",
        terms=(Terms(Bound("l1", 0, 0, 12 << L1_BITS), 13_000_000),),
    ),
    Mechanism(
        "quantile from a tree",
        "SELECT patient_classification, median(clamp(length_of_stay, 0, 60)) AS m FROM admission"
        " GROUP BY patient_classification",
        {
            "admission": [
                item
                for kind in ("1", "2", "3")
                for item in _admissions(9, patient_classification=kind, length_of_stay=1000)
            ]
        },
        terms=(Terms(Bound("rows", 2, 3), 300_000_000, 4),),
    ),
    Mechanism(
        "several statistics on uneven terms",
        "SELECT count(*) AS n, sum(clamp(length_of_stay, 0, 30)) AS nights, count(DISTINCT person_id) AS people"
        " FROM admission",
        {"admission": _admissions(40, length_of_stay=365)},
        terms=(
            Terms(Bound("rows", 1, 4), 30_000_000),
            Terms(Bound("l1", 0, 0, 200 << L1_BITS), 250_000_000),
            Terms(Bound("rows", 1, 1), 20_000_000),
        ),
    ),
    Mechanism(
        "several statistics",
        "SELECT count(*) AS n, sum(clamp(length_of_stay, 0, 30)) AS nights, count(DISTINCT person_id) AS people"
        " FROM admission",
        {"admission": _admissions(9, length_of_stay=365)},
        options=_bounds(1, 2),
    ),
    Mechanism(
        "joined query",
        "SELECT p.sex, count(*) AS n, sum(clamp(d.position, 0, 5)) AS places"
        " FROM person p JOIN admission a USING (person_id) JOIN diagnosis d USING (person_id) GROUP BY p.sex",
        {
            "person": [row("person", sex="1")],
            "admission": _admissions(6),
            "diagnosis": [row("diagnosis", spell_id=0, position=20, icd10="E11", icd10_3="E11") for _ in range(6)],
        },
        options=_bounds(1, 4),
    ),
    Mechanism(
        "unknown keys, common",
        UNKNOWN,
        {"diagnosis": [row("diagnosis", icd10_3=code) for code in ("E11", "I21") for _ in range(4)]},
        options=_bounds(2, 2) | {"unknown_keys": True},
    ),
    Mechanism(
        "unknown keys, one person's own",
        UNKNOWN,
        {"diagnosis": [row("diagnosis", icd10_3=code) for code in ("U1", "U2", "U3") for _ in range(9)]},
        epsilon="20",
        options=_bounds(3, 5) | {"unknown_keys": True},
        delta_atto=10**15,
    ),
    Mechanism(
        "repeat of a query",
        "SELECT count(*) AS n FROM admission",
        {"admission": _admissions(40)},
        options=_bounds(1, 3),
        repeats=10,
    ),
)


def named(name: str) -> Mechanism:
    """The mechanism of that name.

    Raises:
        KeyError: there is none.
    """
    return {mechanism.name: mechanism for mechanism in MECHANISMS}[name]

"""Profiles and the three questions. The data are few (about 340 people a trust), so the privacy loss is set high."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PROFILES", "QUESTIONS", "Question"]

PROFILES = ("omop-5.4", "--table", "visit_occurrence", "--column", "visit_start_date")
"""Of the table that two of the questions read: rows a person, and months with a visit. The rest would take longer."""


@dataclass(frozen=True)
class Question:
    """One question: title, SQL, epsilon at each trust, and contribution bounds where the catalogue's do not suit."""

    title: str
    sql: str
    epsilon: str
    options: tuple[str, ...] = ()


QUESTIONS = (
    Question(
        "Visits by type and year",
        """SELECT
  CASE WHEN visit_concept_id = 9201 THEN 'inpatient' WHEN visit_concept_id = 9202 THEN 'outpatient'
       WHEN visit_concept_id = 9203 THEN 'emergency' END AS visit,
  date_trunc('year', visit_start_date) AS year,
  count(*) AS visits
FROM visit_occurrence
WHERE visit_start_date >= DATE '2016-01-01' AND visit_start_date < DATE '2019-01-01'
GROUP BY 1, 2""",
        "4",
        ("--max-groups-per-person", "4", "--max-rows-per-group", "10"),
    ),
    Question(
        "People with viral sinusitis by sex and age",
        """SELECT p.gender_concept_id AS sex, band(2019 - p.year_of_birth, 18, 40, 65) AS age,
  count(DISTINCT p.person_id) AS people
FROM person p JOIN condition_occurrence c ON c.person_id = p.person_id
WHERE c.condition_concept_id = 40481087
GROUP BY 1, 2""",
        "2",
    ),
    Question(
        "Mean length of stay of inpatients",
        """SELECT avg(clamp(date_diff('day', visit_start_date, visit_end_date), 0, 7)) AS mean_days, count(*) AS stays
FROM visit_occurrence
WHERE visit_concept_id = 9201""",
        "6",
        ("--max-rows-per-group", "4"),
    ),
)

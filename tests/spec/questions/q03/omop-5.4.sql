SELECT band(2019 - p.year_of_birth, 10, 20, 30, 40, 50, 60, 70, 80) AS age,
       p.gender_concept_id,
       count(DISTINCT p.person_id) AS people,
       count(DISTINCT p.person_id) FILTER (WHERE p.person_id IN (
           SELECT c.person_id FROM condition_occurrence c
           WHERE c.condition_source_value IN (SELECT code FROM respiratory_snomed)
       )) / count(DISTINCT p.person_id) AS share
FROM person p
GROUP BY age, p.gender_concept_id

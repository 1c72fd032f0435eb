SELECT gender_concept_id::VARCHAR AS gender_concept_id, avg(least(visit_end_date - visit_start_date, 90)) AS nights
FROM person JOIN visit_occurrence USING (person_id)
WHERE visit_concept_id = 9201
GROUP BY 1

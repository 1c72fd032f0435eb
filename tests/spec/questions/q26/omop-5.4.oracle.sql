WITH ever AS (
    SELECT person_id, list(DISTINCT condition_concept_id) AS conditions FROM condition_occurrence GROUP BY person_id
),
treated AS (
    SELECT DISTINCT person_id FROM drug_exposure
    WHERE year(drug_exposure_start_date) = 2018 AND (drug_concept_id = 19081453 OR drug_concept_id = 40213154)
)
SELECT gender_concept_id::VARCHAR AS gender_concept_id, count(*) AS people
FROM person JOIN treated USING (person_id) JOIN ever USING (person_id)
WHERE year_of_birth <= 2001 AND list_has_any(conditions, [316866, 432867]) AND NOT list_contains(conditions, 201826)
GROUP BY 1

WITH people AS (
    SELECT person_id, gender_concept_id::VARCHAR AS gender_concept_id,
           (least(greatest(2019 - year_of_birth, 0), 80) // 10)::INTEGER AS tens
    FROM person
),
ill AS (
    SELECT DISTINCT person_id FROM condition_occurrence JOIN respiratory_snomed ON code = condition_source_value
)
SELECT CASE tens WHEN 0 THEN '<10' WHEN 8 THEN '80+' ELSE printf('%d-%d', 10 * tens, 10 * tens + 9) END AS age,
       gender_concept_id, count(*) AS people, count(ill.person_id) / count(*) AS share
FROM people LEFT JOIN ill USING (person_id)
GROUP BY ALL

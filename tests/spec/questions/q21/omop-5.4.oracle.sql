WITH last_one AS (
    SELECT person_id, max_by(value_as_number, (measurement_date, value_as_number)) AS value
    FROM measurement
    WHERE measurement_concept_id = 3004410 AND value_as_number IS NOT NULL
    GROUP BY person_id
)
SELECT CASE WHEN value < 2 THEN '<2' WHEN value < 4 THEN '2-3' WHEN value < 6 THEN '4-5' WHEN value < 8 THEN '6-7' ELSE '8+' END AS hba1c,
       count(*) AS people
FROM last_one
WHERE person_id = ANY (SELECT person_id FROM condition_occurrence WHERE condition_concept_id IN (201826, 4311629))
GROUP BY 1

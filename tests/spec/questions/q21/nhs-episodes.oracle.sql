WITH last_one AS (
    SELECT person_id, arg_max(value, (taken_at, value)) AS value FROM lab_result
    WHERE test_code = 'hba1c' AND value IS NOT NULL
    GROUP BY person_id
)
SELECT CASE sex WHEN '1' THEN 'male' WHEN '2' THEN 'female' ELSE '<missing>' END AS sex,
       count(*) AS people,
       [count(*) FILTER (value < 42), count(*) FILTER (value >= 42 AND value < 48), count(*) FILTER (value >= 48 AND value < 58),
        count(*) FILTER (value >= 58 AND value < 75), count(*) FILTER (value >= 75)] AS hba1c
FROM last_one JOIN person USING (person_id)
WHERE person_id IN (SELECT person_id FROM diagnosis WHERE icd10_3 = 'E11')
GROUP BY 1

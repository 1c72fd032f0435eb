WITH last_one AS (
    SELECT person_id, arg_max(value, (taken_at, value)) AS value FROM lab_result
    WHERE test_code = 'hba1c' AND value IS NOT NULL
    GROUP BY person_id
),
known AS (
    SELECT CASE sex WHEN '1' THEN 'male' WHEN '2' THEN 'female' ELSE '<missing>' END AS sex, value
    FROM last_one JOIN person USING (person_id)
    WHERE person_id IN (SELECT person_id FROM diagnosis WHERE icd10_3 = 'E11')
),
bins AS (
    FROM (VALUES ('<0', -1e9, 0), ('[0, 42)', 0, 42), ('[42, 48)', 42, 48), ('[48, 58)', 48, 58), ('[58, 75)', 58, 75),
                 ('[75, 200)', 75, 200), ('>=200', 200, 1e9)) AS bins(hba1c_bin, lo, hi)
)
SELECT sex, hba1c_bin, count(*) AS people, count(*) FILTER (value >= lo AND value < hi) AS hba1c
FROM known CROSS JOIN bins
GROUP BY ALL

WITH latest AS (
    SELECT person_id, value,
           row_number() OVER (PARTITION BY person_id ORDER BY taken_at DESC, value DESC) AS place
    FROM lab_result
    WHERE test_code = 'hba1c' AND value IS NOT NULL
)
SELECT CASE p.sex WHEN '1' THEN 'male' WHEN '2' THEN 'female' END AS sex,
       count(DISTINCT l.person_id) AS people,
       histogram(clamp(l.value, 0, 200), [0, 42, 48, 58, 75, 200]) AS hba1c
FROM latest l
JOIN person p ON p.person_id = l.person_id
WHERE l.place = 1 AND l.person_id IN (SELECT d.person_id FROM diagnosis d WHERE d.icd10 LIKE 'E11%')
GROUP BY sex

WITH latest AS (
    SELECT person_id, value_as_number,
           row_number() OVER (PARTITION BY person_id ORDER BY measurement_date DESC, value_as_number DESC) AS place
    FROM measurement
    WHERE measurement_concept_id = 3004410 AND value_as_number IS NOT NULL
)
SELECT band(l.value_as_number, 2, 4, 6, 8) AS hba1c, count(DISTINCT l.person_id) AS people
FROM latest l
WHERE l.place = 1
  AND l.person_id IN (
      SELECT c.person_id FROM condition_occurrence c WHERE c.condition_source_value IN ('44054006', '15777000')
  )
GROUP BY hba1c

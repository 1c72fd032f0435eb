WITH conditions AS (
    SELECT person_id, count(DISTINCT condition_source_value) AS number
    FROM condition_occurrence
    WHERE condition_source_value IN ('38341003', '15777000', '44054006', '55822004', '53741008', '64859006')
    GROUP BY person_id
)
SELECT band(2019 - p.year_of_birth, 40, 60, 80) AS age,
       count(DISTINCT p.person_id) AS people,
       count(DISTINCT p.person_id) FILTER (WHERE c.number >= 2) / count(DISTINCT p.person_id) AS two_or_more
FROM person p
LEFT JOIN conditions c ON c.person_id = p.person_id
GROUP BY age

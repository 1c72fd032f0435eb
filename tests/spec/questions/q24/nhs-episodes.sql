WITH entry AS (
    SELECT person_id, min(admission_date) AS first_day FROM admission GROUP BY person_id
)
SELECT band(2024 - p.year_of_birth, 65, 80) AS age,
       count(DISTINCT p.person_id) AS people,
       survival(
           date_diff('day', e.first_day, coalesce(d.death_date, DATE '2024-12-31')), d.death_date IS NOT NULL,
           [0, 30, 91, 182, 365, 730]
       ) AS alive
FROM entry e
JOIN person p ON p.person_id = e.person_id
LEFT JOIN death d ON d.person_id = e.person_id
GROUP BY age

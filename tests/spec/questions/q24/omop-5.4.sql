WITH entry AS (
    SELECT person_id, min(condition_start_date) AS first_day
    FROM condition_occurrence
    WHERE condition_source_value IN ('38341003', '15777000', '10509002')
    GROUP BY person_id
)
SELECT f.from_day, p.gender_concept_id,
       count(*) AS at_risk,
       count(*) FILTER (WHERE date_diff('day', e.first_day, d.death_date) < f.to_day) AS deaths
FROM entry e
JOIN person p ON p.person_id = e.person_id
LEFT JOIN death d ON d.person_id = e.person_id
JOIN follow_up f ON date_diff('day', e.first_day, coalesce(d.death_date, DATE '2026-12-31')) >= f.from_day
GROUP BY f.from_day, p.gender_concept_id

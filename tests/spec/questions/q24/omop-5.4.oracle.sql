WITH person_time AS (
    SELECT person_id, any_value(gender_concept_id)::VARCHAR AS gender_concept_id,
           any_value(death_date) - min(condition_start_date) AS died_after,
           coalesce(any_value(death_date), DATE '2026-12-31') - min(condition_start_date) AS days
    FROM person JOIN condition_occurrence USING (person_id) LEFT JOIN death USING (person_id)
    WHERE condition_concept_id IN (316866, 4311629, 260139)
    GROUP BY person_id
)
SELECT from_day::VARCHAR AS from_day, gender_concept_id, count(*) AS at_risk,
       count(*) FILTER (died_after >= from_day AND died_after < to_day) AS deaths
FROM follow_up, person_time
WHERE days >= from_day
GROUP BY ALL

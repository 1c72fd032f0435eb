SELECT p.gender_concept_id,
       avg(clamp(date_diff('day', v.visit_start_date, v.visit_end_date), 0, 90)) AS nights
FROM visit_occurrence v
JOIN person p ON p.person_id = v.person_id
WHERE v.visit_concept_id = 9201
GROUP BY p.gender_concept_id

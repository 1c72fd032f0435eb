SELECT s.concept_id AS procedure,
       count(*) AS procedures,
       count(*) FILTER (WHERE date_diff('day', v.visit_start_date, v.visit_end_date) = 0) / count(*) AS same_day_rate
FROM procedure_occurrence o
JOIN visit_occurrence v ON v.person_id = o.person_id AND v.visit_occurrence_id = o.visit_occurrence_id
JOIN common_procedures s ON s.concept_id = o.procedure_concept_id
GROUP BY s.concept_id

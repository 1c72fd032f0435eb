SELECT procedure_concept_id::VARCHAR AS procedure, count(*) AS procedures,
       count(*) FILTER (visit_end_date = visit_start_date) / count(*) AS same_day_rate
FROM procedure_occurrence
JOIN (SELECT visit_occurrence_id, visit_start_date, visit_end_date FROM visit_occurrence) USING (visit_occurrence_id)
WHERE procedure_concept_id IN (SELECT concept_id FROM common_procedures)
GROUP BY 1

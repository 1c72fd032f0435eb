WITH chest AS (
    SELECT DISTINCT visit_occurrence_id
    FROM condition_occurrence JOIN respiratory_snomed ON condition_source_value = code
)
SELECT year(visit_start_date)::VARCHAR AS year, count(chest.visit_occurrence_id) AS preventable, count(*) AS visits
FROM visit_occurrence LEFT JOIN chest USING (visit_occurrence_id)
WHERE visit_concept_id <> 9201 AND year(visit_start_date) BETWEEN 2009 AND 2018
GROUP BY 1

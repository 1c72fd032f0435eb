SELECT year(v.visit_start_date) AS year,
       count(*) FILTER (WHERE EXISTS (
           SELECT 1 FROM condition_occurrence c
           WHERE c.person_id = v.person_id AND c.visit_occurrence_id = v.visit_occurrence_id
             AND c.condition_source_value IN (SELECT code FROM respiratory_snomed)
       )) AS preventable,
       count(*) AS visits
FROM visit_occurrence v
WHERE v.visit_concept_id IN (9202, 9203)
  AND v.visit_start_date >= DATE '2009-01-01' AND v.visit_start_date < DATE '2019-01-01'
GROUP BY year

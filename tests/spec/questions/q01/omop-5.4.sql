SELECT year(visit_start_date) AS year,
       CASE WHEN visit_concept_id = 9201 THEN 'inpatient' WHEN visit_concept_id = 9203 THEN 'emergency room'
            ELSE 'outpatient' END AS kind,
       count(*) AS visits
FROM visit_occurrence
WHERE visit_start_date >= DATE '2009-01-01' AND visit_start_date < DATE '2019-01-01'
GROUP BY year, kind

SELECT strftime(visit_start_date, '%Y') AS year,
       coalesce(map {9201: 'inpatient', 9203: 'emergency room'}[visit_concept_id], 'outpatient') AS kind,
       count(*) AS visits
FROM visit_occurrence
WHERE visit_start_date BETWEEN '2009-01-01' AND '2018-12-31'
GROUP BY ALL

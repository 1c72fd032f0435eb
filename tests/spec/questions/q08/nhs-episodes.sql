SELECT s.code AS procedure,
       count(*) AS admissions,
       count(*) FILTER (WHERE a.patient_classification = '2') / count(*) AS day_case_rate
FROM admission a
JOIN day_surgery s ON s.code = a.primary_procedure
WHERE a.admission_method IN ('11', '12', '13')
GROUP BY s.code

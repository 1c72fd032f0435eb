SELECT primary_procedure AS procedure, count(*) AS admissions,
       avg(CASE WHEN patient_classification IS NOT DISTINCT FROM '2' THEN 1.0 ELSE 0.0 END) AS day_case_rate
FROM admission
WHERE admission_method BETWEEN '11' AND '13' AND primary_procedure IN (FROM day_surgery SELECT code)
GROUP BY 1

SELECT i.code AS diagnosis, count(*) AS admissions
FROM admission a
JOIN icd10_category i ON i.code = a.primary_diagnosis
GROUP BY i.code
ORDER BY admissions DESC, diagnosis
LIMIT 20

WITH conditions AS (
    SELECT d.person_id,
           max(CASE WHEN d.icd10_3 = 'E11' THEN 1 ELSE 0 END) AS diabetes,
           max(CASE WHEN d.icd10_3 = 'I10' THEN 1 ELSE 0 END) AS hypertension,
           max(CASE WHEN d.icd10_3 IN ('I25', 'I48', 'I50') THEN 1 ELSE 0 END) AS heart_disease,
           max(CASE WHEN d.icd10_3 IN ('J44', 'J45') THEN 1 ELSE 0 END) AS lung_disease,
           max(CASE WHEN d.icd10_3 = 'N18' THEN 1 ELSE 0 END) AS kidney_disease,
           max(CASE WHEN d.icd10_3 = 'F32' THEN 1 ELSE 0 END) AS depression
    FROM diagnosis d
    GROUP BY d.person_id
)
SELECT band(2024 - p.year_of_birth, 30, 50, 65, 80) AS age,
       count(DISTINCT p.person_id) AS people,
       count(DISTINCT p.person_id) FILTER (WHERE
           c.diabetes + c.hypertension + c.heart_disease + c.lung_disease + c.kidney_disease + c.depression >= 2
       ) / count(DISTINCT p.person_id) AS two_or_more
FROM person p
LEFT JOIN conditions c ON c.person_id = p.person_id
GROUP BY age

SELECT CASE p.sex WHEN '1' THEN 'male' WHEN '2' THEN 'female' END AS sex,
       count(DISTINCT p.person_id) AS people
FROM person p
WHERE 2024 - p.year_of_birth >= 18
  AND EXISTS (SELECT 1 FROM diagnosis d WHERE d.person_id = p.person_id AND d.icd10_3 = 'I10')
  AND (
      EXISTS (
          SELECT 1 FROM prescription m
          WHERE m.person_id = p.person_id AND m.bnf_section IN ('0205', '0206')
            AND m.prescribed_date >= DATE '2024-01-01' AND m.prescribed_date < DATE '2025-01-01'
      )
      OR EXISTS (
          SELECT 1 FROM prescription m
          WHERE m.person_id = p.person_id AND m.medicine LIKE 'indap%'
            AND m.prescribed_date >= DATE '2024-01-01' AND m.prescribed_date < DATE '2025-01-01'
      )
  )
  AND NOT EXISTS (SELECT 1 FROM diagnosis d WHERE d.person_id = p.person_id AND d.icd10_3 = 'N18')
GROUP BY sex

SELECT age_band(2024 - p.year_of_birth) AS age,
       CASE p.sex WHEN '1' THEN 'male' WHEN '2' THEN 'female' END AS sex,
       count(DISTINCT p.person_id) AS people,
       count(DISTINCT p.person_id) FILTER (WHERE p.person_id IN (
           SELECT d.person_id FROM diagnosis d WHERE d.icd10 IN (SELECT code FROM respiratory_codes)
       )) AS with_condition,
       100 * count(DISTINCT p.person_id) FILTER (WHERE p.person_id IN (
           SELECT d.person_id FROM diagnosis d WHERE d.icd10 IN (SELECT code FROM respiratory_codes)
       )) / count(DISTINCT p.person_id) AS percent
FROM person p
GROUP BY age, sex

SELECT a.code AS lsoa,
       count(DISTINCT p.person_id) AS people,
       count(DISTINCT p.person_id) FILTER (WHERE p.person_id IN (
           SELECT d.person_id FROM diagnosis d WHERE d.icd10 IN (SELECT code FROM respiratory_codes)
       )) AS with_condition
FROM person p
JOIN lsoa_2011 a ON a.code = p.lsoa11
GROUP BY a.code

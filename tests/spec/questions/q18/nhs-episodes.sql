SELECT p.imd_decile,
       count(*) FILTER (WHERE EXISTS (
           SELECT 1 FROM diagnosis d
           WHERE d.person_id = a.person_id AND d.spell_id = a.spell_id AND d.position = 1
             AND d.icd10 IN (SELECT code FROM ambulatory_care_codes)
       )) AS preventable,
       count(*) FILTER (WHERE EXISTS (
           SELECT 1 FROM diagnosis d
           WHERE d.person_id = a.person_id AND d.spell_id = a.spell_id AND d.position = 1
             AND d.icd10 IN (SELECT code FROM ambulatory_care_codes)
       )) / count(*) AS share
FROM admission a
JOIN person p ON p.person_id = a.person_id
WHERE a.admission_method LIKE '2%'
GROUP BY p.imd_decile

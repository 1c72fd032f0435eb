WITH main AS (
    SELECT person_id, spell_id, max(icd10) AS icd10 FROM diagnosis WHERE "position" = 1 GROUP BY ALL
)
SELECT coalesce(imd_decile::VARCHAR, '<missing>') AS imd_decile,
       count(code) AS preventable, count(code) / count(*) AS share
FROM admission AS a
JOIN person AS p ON p.person_id = a.person_id
LEFT JOIN main ON main.person_id = a.person_id AND main.spell_id = a.spell_id
LEFT JOIN ambulatory_care_codes ON code = icd10
WHERE admission_method >= '21' AND admission_method <= '2D'
GROUP BY 1

WITH flags AS (
    SELECT person_id,
           max((condition_concept_id = 316866)::INTEGER) + max((condition_concept_id = 4311629)::INTEGER)
           + max((condition_concept_id = 201826)::INTEGER) + max((condition_concept_id = 432867)::INTEGER)
           + max((condition_concept_id = 317576)::INTEGER) + max((condition_concept_id = 80502)::INTEGER) AS flags
    FROM condition_occurrence
    GROUP BY person_id
)
SELECT CASE WHEN year_of_birth >= 1980 THEN '<40' WHEN year_of_birth >= 1960 THEN '40-59' WHEN year_of_birth >= 1940 THEN '60-79' ELSE '80+' END AS age,
       count(*) AS people, count(*) FILTER (flags >= 2) / count(*) AS two_or_more
FROM person LEFT JOIN flags USING (person_id)
GROUP BY 1

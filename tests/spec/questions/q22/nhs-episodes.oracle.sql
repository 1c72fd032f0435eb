WITH named(icd10_3, condition) AS (
    VALUES ('E11', 'diabetes'), ('I10', 'hypertension'), ('I25', 'heart'), ('I48', 'heart'), ('I50', 'heart'),
           ('J44', 'lung'), ('J45', 'lung'), ('N18', 'kidney'), ('F32', 'depression')
),
counted AS (
    SELECT person_id, count(DISTINCT condition) AS conditions FROM diagnosis JOIN named USING (icd10_3) GROUP BY person_id
)
SELECT CASE WHEN year_of_birth > 1994 THEN '<30' WHEN year_of_birth > 1974 THEN '30-49' WHEN year_of_birth > 1959 THEN '50-64'
            WHEN year_of_birth > 1944 THEN '65-79' ELSE '80+' END AS age,
       count(*) AS people, count(*) FILTER (conditions > 1) / count(*) AS two_or_more
FROM person LEFT JOIN counted USING (person_id)
GROUP BY 1

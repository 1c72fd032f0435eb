WITH ill AS (
    SELECT DISTINCT d.person_id FROM diagnosis AS d SEMI JOIN respiratory_codes AS c ON d.icd10 = c.code
),
people AS (
    SELECT five_years(2024 - year_of_birth) AS age,
           coalesce(map {'1': 'male', '2': 'female'}[sex], '<missing>') AS sex,
           ill.person_id IS NOT NULL AS is_ill
    FROM person LEFT JOIN ill USING (person_id)
)
SELECT age, sex, count(*) AS people, sum(is_ill::INTEGER) AS with_condition, 100.0 * avg(is_ill::INTEGER) AS percent
FROM people
GROUP BY age, sex

WITH chosen AS (
    (
        SELECT person_id FROM person WHERE year_of_birth <= 2006
        INTERSECT
        SELECT person_id FROM diagnosis WHERE icd10_3 = 'I10'
        INTERSECT
        SELECT person_id FROM prescription
        WHERE year(prescribed_date) = 2024 AND (bnf_section BETWEEN '0205' AND '0206' OR medicine = 'indapamide')
    )
    EXCEPT
    SELECT person_id FROM diagnosis WHERE icd10_3 = 'N18'
)
SELECT CASE sex WHEN '1' THEN 'male' WHEN '2' THEN 'female' ELSE '<missing>' END AS sex, count(*) AS people
FROM chosen JOIN person USING (person_id)
GROUP BY 1

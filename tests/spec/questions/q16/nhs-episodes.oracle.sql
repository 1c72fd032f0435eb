WITH jabs AS (
    SELECT person_id, bit_or(1 << dose_number) AS doses FROM vaccination WHERE vaccine = 'covid-19' GROUP BY person_id
),
adult AS (
    SELECT CASE WHEN year_of_birth > 1971 THEN '<50' WHEN year_of_birth > 1956 THEN '50-64' ELSE '65+' END AS age,
           CASE WHEN contains('ABC', ethnic_category) THEN 'White' WHEN contains('DEFGS', ethnic_category) THEN 'Mixed or other'
                WHEN contains('HJKLR', ethnic_category) THEN 'Asian' WHEN contains('MNP', ethnic_category) THEN 'Black'
                ELSE '<missing>' END AS ethnicity,
           coalesce(doses, 0) AS doses
    FROM person LEFT JOIN jabs USING (person_id)
    WHERE year_of_birth <= 2003
)
SELECT age, ethnicity, count(*) AS people,
       avg((doses > 0)::INTEGER) AS vaccinated, avg((doses & 4 > 0)::INTEGER) AS second_dose
FROM adult
GROUP BY ALL

SELECT lsoa11 AS lsoa,
       count(*) AS people,
       count(*) FILTER (person_id IN (FROM diagnosis SELECT person_id WHERE list_contains((SELECT list(code) FROM respiratory_codes), icd10)))
           AS with_condition
FROM person
WHERE lsoa11 IS NOT NULL
GROUP BY lsoa11

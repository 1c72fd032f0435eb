WITH jab AS (
    SELECT person_id, count(*) AS doses FROM drug_exposure
    WHERE drug_concept_id = 40213154 AND drug_exposure_start_date BETWEEN '2017-09-01' AND '2018-08-31'
    GROUP BY person_id
)
SELECT if(year_of_birth >= 2002, '<18', if(year_of_birth >= 1955, '18-64', '65+')) AS age,
       coalesce(
           map {8527: 'White', 8515: 'Asian or Black', 8516: 'Asian or Black'}[race_concept_id],
           if(ethnicity_concept_id = 38003563, 'Hispanic', '<missing>')
       ) AS ethnicity,
       count(*) AS people, count(doses) / count(*) AS influenza_vaccine
FROM person LEFT JOIN jab USING (person_id)
GROUP BY ALL

SELECT band(2019 - p.year_of_birth, 18, 65) AS age,
       CASE WHEN p.race_concept_id = 8527 THEN 'White'
            WHEN p.race_concept_id IN (8515, 8516) THEN 'Asian or Black'
            WHEN p.ethnicity_concept_id = 38003563 THEN 'Hispanic' END AS ethnicity,
       count(DISTINCT p.person_id) AS people,
       count(DISTINCT p.person_id) FILTER (WHERE EXISTS (
           SELECT 1 FROM drug_exposure d
           WHERE d.person_id = p.person_id AND d.drug_concept_id = 40213154
             AND d.drug_exposure_start_date >= DATE '2017-09-01' AND d.drug_exposure_start_date < DATE '2018-09-01'
       )) / count(DISTINCT p.person_id) AS influenza_vaccine
FROM person p
GROUP BY age, ethnicity

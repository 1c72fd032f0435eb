SELECT band(2021 - p.year_of_birth, 50, 65) AS age,
       CASE WHEN p.ethnic_category IN ('A', 'B', 'C') THEN 'White'
            WHEN p.ethnic_category IN ('D', 'E', 'F', 'G', 'S') THEN 'Mixed or other'
            WHEN p.ethnic_category IN ('H', 'J', 'K', 'L', 'R') THEN 'Asian'
            WHEN p.ethnic_category IN ('M', 'N', 'P') THEN 'Black' END AS ethnicity,
       count(DISTINCT p.person_id) AS people,
       count(DISTINCT p.person_id) FILTER (WHERE EXISTS (
           SELECT 1 FROM vaccination v WHERE v.person_id = p.person_id AND v.vaccine = 'covid-19'
       )) / count(DISTINCT p.person_id) AS vaccinated,
       count(DISTINCT p.person_id) FILTER (WHERE EXISTS (
           SELECT 1 FROM vaccination v
           WHERE v.person_id = p.person_id AND v.vaccine = 'covid-19' AND v.dose_number = 2
       )) / count(DISTINCT p.person_id) AS second_dose
FROM person p
WHERE 2021 - p.year_of_birth >= 18
GROUP BY age, ethnicity

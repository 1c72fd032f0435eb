WITH counted AS (
    SELECT p.imd_decile, p.sex, age_band(a.age_on_admission) AS age_band, count(*) AS admissions
    FROM person p
    JOIN admission a ON a.person_id = p.person_id
    WHERE a.admission_method LIKE '2%'
      AND a.admission_date >= DATE '2023-01-01' AND a.admission_date < DATE '2024-01-01'
    GROUP BY p.imd_decile, p.sex, age_band(a.age_on_admission)
)
SELECT c.imd_decile, sum(c.admissions / n.people * w.weight / 2) AS per_100000
FROM counted c
JOIN population n ON n.imd_decile = c.imd_decile AND n.sex = c.sex AND n.age_band = c.age_band
JOIN esp2013 w ON w.age_band = c.age_band
GROUP BY c.imd_decile
ORDER BY c.imd_decile

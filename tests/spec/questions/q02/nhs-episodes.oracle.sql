-- Each admission weighs what its age, sex and decile do, so no table of counts is made.
SELECT n.imd_decile::VARCHAR AS imd_decile,
       sum(
           (
               SELECT count(*)
               FROM admission AS a
               JOIN person AS p USING (person_id)
               WHERE a.admission_method[1] = '2' AND year(a.admission_date) = 2023
                 AND p.imd_decile = n.imd_decile AND p.sex = n.sex
                 AND a.age_on_admission >= split_part(replace(n.age_band, '+', '-200'), '-', 1)::INTEGER
                 AND a.age_on_admission <= split_part(replace(n.age_band, '+', '-200'), '-', 2)::INTEGER
           )::DOUBLE / n.people * 0.5 * w.weight
       ) AS per_100000
FROM population AS n
JOIN esp2013 AS w USING (age_band)
GROUP BY n.imd_decile
ORDER BY n.imd_decile

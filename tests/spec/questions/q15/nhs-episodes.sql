SELECT band(o.age_on_appointment, 18, 65) AS age,
       CASE p.sex WHEN '1' THEN 'male' WHEN '2' THEN 'female' END AS sex,
       p.imd_decile,
       count(*) FILTER (WHERE o.attended IN ('3', '5', '6', '7')) AS appointments,
       count(*) FILTER (WHERE o.attended IN ('3', '7')) / count(*) FILTER (WHERE o.attended IN ('3', '5', '6', '7'))
           AS missed
FROM outpatient_appointment o
JOIN person p ON p.person_id = o.person_id
GROUP BY age, sex, p.imd_decile

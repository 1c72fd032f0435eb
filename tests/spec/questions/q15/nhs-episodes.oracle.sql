SELECT CASE WHEN age_on_appointment < 18 THEN '<18' WHEN age_on_appointment < 65 THEN '18-64' ELSE '65+' END AS age,
       CASE sex WHEN '1' THEN 'male' WHEN '2' THEN 'female' ELSE '<missing>' END AS sex,
       coalesce(imd_decile::VARCHAR, '<missing>') AS imd_decile,
       count(*) AS appointments,
       1 - count(*) FILTER (attended IN ('5', '6')) / count(*) AS missed
FROM person NATURAL JOIN outpatient_appointment
WHERE contains('3567', attended)
GROUP BY ALL

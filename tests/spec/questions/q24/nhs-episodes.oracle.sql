-- At risk at the start of an interval: everybody whose time reaches it. Alive: the product of 1 - deaths / at risk.
WITH person_time AS (
    SELECT CASE WHEN year_of_birth > 1959 THEN '<65' WHEN year_of_birth > 1944 THEN '65-79' ELSE '80+' END AS age,
           ifnull(death_date, '2024-12-31'::DATE) - min(admission_date) AS days, death_date IS NOT NULL AS died
    FROM admission JOIN person USING (person_id) LEFT JOIN death USING (person_id)
    GROUP BY person_id, year_of_birth, death_date
),
grid AS (
    FROM (VALUES ('<0', -99999, 0), ('0-29', 0, 30), ('30-90', 30, 91), ('91-181', 91, 182), ('182-364', 182, 365),
                 ('365-729', 365, 730), ('>=730', 730, 99999)) AS grid(alive_bin, start, stop)
),
step AS (
    SELECT age, alive_bin, start, count(*) AS people, count(*) FILTER (days >= start) AS at_risk,
           count(*) FILTER (died AND days >= start AND days < stop) AS deaths
    FROM person_time CROSS JOIN grid
    GROUP BY ALL
)
SELECT age, alive_bin, people, at_risk AS alive_at_risk, deaths AS alive_events,
       product(1 - deaths / at_risk) OVER (PARTITION BY age ORDER BY start) AS alive_survival
FROM step

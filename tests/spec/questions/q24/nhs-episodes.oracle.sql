-- At risk at the start of an interval: everybody whose time reaches it. Alive: the product of 1 - deaths / at risk.
WITH person_time AS (
    SELECT CASE WHEN year_of_birth > 1959 THEN '<65' WHEN year_of_birth > 1944 THEN '65-79' ELSE '80+' END AS age,
           ifnull(death_date, '2024-12-31'::DATE) - min(admission_date) AS days, death_date IS NOT NULL AS died
    FROM admission JOIN person USING (person_id) LEFT JOIN death USING (person_id)
    GROUP BY person_id, year_of_birth, death_date
),
step AS (
    SELECT age, start, count(*) FILTER (days >= start) AS at_risk, count(*) FILTER (died AND days >= start AND days < stop) AS deaths
    FROM person_time, (VALUES (0, 30), (30, 91), (91, 182), (182, 365), (365, 730)) AS grid(start, stop)
    GROUP BY age, start, stop
),
people AS (SELECT age, count(*) AS people FROM person_time GROUP BY age),
curve AS (
    SELECT age, start, at_risk, deaths, product(1 - deaths / at_risk) OVER (PARTITION BY age ORDER BY start) AS alive FROM step
)
SELECT age, any_value(people) AS people,
       {'at_risk': list(at_risk ORDER BY start), 'events': list(deaths ORDER BY start), 'survival': list(curve.alive ORDER BY start)} AS alive
FROM curve JOIN people USING (age)
GROUP BY age

SELECT year(decision_to_admit_at) AS year,
       CASE WHEN quarter(decision_to_admit_at) <= 2 THEN 'January to June' ELSE 'July to December' END AS half,
       count(*) AS decisions,
       count(*) FILTER (WHERE date_diff('minute', decision_to_admit_at, departure_at) > 720) AS over_12_hours
FROM emergency_attendance
WHERE decision_to_admit_at >= TIMESTAMP '2020-01-01 00:00:00'
  AND decision_to_admit_at < TIMESTAMP '2025-01-01 00:00:00'
GROUP BY year, half

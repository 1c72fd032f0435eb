SELECT strftime(decision_to_admit_at, '%Y') AS year,
       if(month(decision_to_admit_at) < 7, 'January to June', 'July to December') AS half,
       count(*) AS decisions,
       count(*) FILTER (departure_at - decision_to_admit_at > INTERVAL 12 HOUR) AS over_12_hours
FROM emergency_attendance
WHERE decision_to_admit_at BETWEEN '2020-01-01' AND '2024-12-31 23:59:59'
GROUP BY ALL

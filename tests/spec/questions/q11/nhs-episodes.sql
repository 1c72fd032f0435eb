SELECT isodow(arrival_at) AS weekday, hour(arrival_at) AS hour, count(*) AS attendances
FROM emergency_attendance
GROUP BY weekday, hour

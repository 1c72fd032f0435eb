WITH since_monday AS (
    SELECT date_diff('hour', TIMESTAMP '2018-01-01 00:00:00', arrival_at) % 168 AS hour_of_week FROM emergency_attendance
)
SELECT (1 + hour_of_week // 24)::VARCHAR AS weekday, (hour_of_week % 24)::VARCHAR AS hour, count(*) AS attendances
FROM since_monday
GROUP BY hour_of_week

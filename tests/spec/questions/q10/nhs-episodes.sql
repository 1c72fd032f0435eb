SELECT date_trunc('week', arrival_at) AS week,
       CASE WHEN department_type = '01' THEN 'major' ELSE 'other or minor' END AS department,
       count(*) AS attendances,
       count(*) FILTER (WHERE date_diff('minute', arrival_at, departure_at) < 240) / count(*) AS within_four_hours
FROM emergency_attendance
WHERE arrival_at >= TIMESTAMP '2023-01-02 00:00:00' AND arrival_at < TIMESTAMP '2024-01-01 00:00:00'
  AND departure_at IS NOT NULL
GROUP BY week, department

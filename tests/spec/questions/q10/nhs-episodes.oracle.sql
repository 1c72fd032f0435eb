SELECT strftime(arrival_at::DATE - (isodow(arrival_at) - 1)::INTEGER, '%Y-%m-%d') AS week,
       if(department_type IS NOT DISTINCT FROM '01', 'major', 'other or minor') AS department,
       count(departure_at) AS attendances,
       sum((epoch(departure_at) - epoch(arrival_at) < 4 * 3600)::INTEGER) / count(departure_at) AS within_four_hours
FROM emergency_attendance
WHERE isoyear(arrival_at) = 2023 AND departure_at IS NOT NULL
GROUP BY ALL

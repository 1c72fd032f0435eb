SELECT m.month,
       CASE w.ward_type WHEN 'assessment' THEN 'assessment' WHEN 'general' THEN 'general' WHEN 'elderly' THEN 'elderly'
            WHEN 'rehabilitation' THEN 'rehabilitation' ELSE 'any other' END AS ward,
       sum(clamp(overlap_days(w.start_date, w.end_date, m.month, m.next_month), 0, 31)) AS bed_days
FROM ward_stay w
JOIN calendar_month m ON w.start_date < m.next_month AND w.end_date > m.month
WHERE m.month >= DATE '2023-01-01' AND m.month < DATE '2024-01-01'
GROUP BY m.month, ward

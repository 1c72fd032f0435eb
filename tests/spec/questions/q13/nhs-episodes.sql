SELECT band(floor(date_diff('day', clock_start_date, DATE '2024-06-30') / 7), 6, 12, 18) AS weeks_waited,
       CASE WHEN treatment_function IN ('100', '101', '107', '110', '120', '130', '140', '150', '160') THEN 'surgical'
            WHEN treatment_function IN ('502', '420') THEN 'women and children'
            ELSE 'medical' END AS specialty,
       count(*) AS pathways
FROM referral
WHERE clock_start_date <= DATE '2024-06-30' AND (clock_stop_date IS NULL OR clock_stop_date > DATE '2024-06-30')
GROUP BY weeks_waited, specialty

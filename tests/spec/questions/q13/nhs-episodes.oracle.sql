SELECT CASE WHEN clock_start_date > DATE '2024-06-30' - 42 THEN '<6' WHEN clock_start_date > DATE '2024-06-30' - 84 THEN '6-11'
            WHEN clock_start_date > DATE '2024-06-30' - 126 THEN '12-17' ELSE '18+' END AS weeks_waited,
       CASE WHEN treatment_function::INTEGER BETWEEN 100 AND 160 THEN 'surgical'
            WHEN treatment_function = '502' OR treatment_function = '420' THEN 'women and children' ELSE 'medical' END AS specialty,
       count(*) AS pathways
FROM referral
WHERE DATE '2024-06-30' >= clock_start_date AND DATE '2024-06-30' < coalesce(clock_stop_date, DATE '9999-12-31')
GROUP BY ALL

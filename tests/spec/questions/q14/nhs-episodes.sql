SELECT p.imd_decile,
       count(*) AS pathways,
       count(*) FILTER (WHERE date_diff('day', r.clock_start_date, coalesce(r.clock_stop_date, DATE '2024-12-31')) > 126)
           / count(*) AS over_18_weeks,
       count(*) FILTER (WHERE date_diff('day', r.clock_start_date, coalesce(r.clock_stop_date, DATE '2024-12-31')) > 364)
           / count(*) AS over_52_weeks
FROM referral r
JOIN person p ON p.person_id = r.person_id
GROUP BY p.imd_decile

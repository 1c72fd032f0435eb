WITH waited AS (
    SELECT person_id, ifnull(clock_stop_date, '2024-12-31'::DATE) - clock_start_date AS days FROM referral
)
SELECT coalesce(imd_decile::VARCHAR, '<missing>') AS imd_decile, count(*) AS pathways,
       avg((days > 18 * 7)::INTEGER) AS over_18_weeks, avg((days > 52 * 7)::INTEGER) AS over_52_weeks
FROM person JOIN waited USING (person_id)
GROUP BY 1

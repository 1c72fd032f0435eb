-- Night by night, without any arithmetic on ranges.
WITH night AS (
    SELECT ward_type, unnest(generate_series(start_date, end_date - 1, INTERVAL 1 DAY)) AS slept
    FROM ward_stay
    WHERE end_date > start_date
)
SELECT strftime(slept, '%Y-%m-01') AS month,
       if(ward_type IN ('assessment', 'general', 'elderly', 'rehabilitation'), ward_type, 'any other') AS ward,
       count(*) AS bed_days
FROM night
WHERE year(slept) = 2023
GROUP BY ALL

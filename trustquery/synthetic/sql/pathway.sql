-- Every referral of every record, with its waiting time. Waits differ by priority and specialty, are longer in poorer
-- areas, and grow over the study.
CREATE TABLE pathway AS
WITH sized AS (
    SELECT *, least(120, floor(0.5 + 2.7 * power(-ln(1 - need), 0.8) * (0.15 + 0.85 * days / 1827.0)))::BIGINT AS n
    FROM record
),
numbered AS (
    SELECT *, unnest(range(1, n + 1)) AS j
    FROM sized
),
dated AS (
    SELECT
        *, key * 1024 + j AS row_key,
        start_date + floor(days * (j - 1 + u(100, key * 1024 + j)) / n)::INTEGER AS referral_date,
        CASE
            WHEN u(101, key * 1024 + j) < CASE WHEN age_at_end < 18 THEN 0.01 ELSE 0.17 END THEN '3'
            WHEN u(101, key * 1024 + j) < 0.27 THEN '2'
            ELSE '1'
        END AS priority,
        pick(
            ['100', '101', '110', '110', '110', '120', '120', '130', '130', '130', '140', '160', '191', '300', '301', '301', '302',
             '320', '320', '330', '330', '340', '361', '400', '400', '410', '430', '502', '502', '107'], u(102, key * 1024 + j)
        ) AS treatment_function
    FROM numbered
),
waited AS (
    SELECT
        *,
        greatest(
            1, least(
                900, exp(
                    CASE priority WHEN '3' THEN 3.3 WHEN '2' THEN 3.9 ELSE 4.35 END + 0.5 * bell(103, row_key)
                    + CASE WHEN priority = '1' AND treatment_function IN ('110', '160', '120', '502') THEN 0.3 ELSE 0 END
                    + 0.02 * (10 - imd_decile) + 0.00016 * (referral_date - getvariable('first_day'))
                )
            )
        )::INTEGER AS wait_days
    FROM dated
)
SELECT
    trust_no, number, j, person_id, row_key, number * 128 + j AS pathway_id, referral_date, priority, treatment_function, sex,
    death_date, greatest(0, years_between(birth_date, referral_date)) AS age,
    CASE
        WHEN death_date IS NOT NULL AND referral_date + wait_days >= death_date THEN death_date
        WHEN referral_date + wait_days <= getvariable('last_day') THEN referral_date + wait_days
    END AS stop_date,
    death_date IS NOT NULL AND referral_date + wait_days >= death_date AS died_waiting
FROM waited
ORDER BY trust_no, number, j;

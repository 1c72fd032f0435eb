-- Missed more often by the young, by children and in poorer areas. Some lie after the last day: not held yet.
WITH sized AS (
    SELECT *, least(1000, floor(0.5 + 10.0 * power(-ln(1 - need), 0.8) * (0.1 + 0.9 * days / 1827.0)))::BIGINT AS n
    FROM record
    WHERE trust_no = getvariable('trust_no')
),
numbered AS (
    SELECT *, unnest(range(1, n + 1)) AS j
    FROM sized
),
dated AS (
    SELECT
        *, key * 1024 + j AS row_key,
        start_date + floor((days + CASE WHEN death_date IS NULL THEN 45 ELSE 0 END) * (j - 1 + u(130, key * 1024 + j)) / n)::INTEGER AS any_day
    FROM numbered
),
aged AS (
    SELECT
        *,
        CASE WHEN isodow(any_day) > 5 AND death_date IS NULL THEN any_day + (8 - isodow(any_day))::INTEGER ELSE any_day END AS day,
        greatest(0, years_between(birth_date, any_day)) AS age
    FROM dated
),
missed AS (
    SELECT
        *, 0.04 + 0.005 * (10 - imd_decile) + CASE WHEN age < 16 THEN 0.02 WHEN age < 36 THEN 0.045 WHEN age > 75 THEN -0.01 ELSE 0 END AS missing
    FROM aged
)
SELECT
    person_id,
    day AS appointment_date,
    CASE
        WHEN age < 16 THEN pick(['420', '420', '420', '420', '110', '120', '130', '330', '140', '171'], u(131, row_key))
        ELSE pick(
            ['100', '100', '101', '101', '110', '110', '110', '110', '120', '130', '130', '130', '130', '140', '160', '191', '300', '301', '301',
             '302', '303', '307', '320', '320', '330', '330', '340', '340', '361', '370', '400', '410', '410', '430', '502', '502', '800'],
            u(131, row_key)
        )
    END AS treatment_function,
    CASE WHEN u(132, row_key) < 0.26 THEN '1' WHEN u(132, row_key) < 0.76 THEN '2' WHEN u(132, row_key) < 0.82 THEN '3' ELSE '4' END AS first_attendance,
    CASE
        WHEN day > getvariable('last_day') THEN '0'
        WHEN u(133, row_key) < missing THEN '3'
        WHEN u(133, row_key) < missing + 0.065 THEN '2'
        WHEN u(133, row_key) < missing + 0.14 THEN '4'
        WHEN u(133, row_key) < missing + 0.143 THEN '7'
        WHEN u(133, row_key) < missing + 0.17 THEN '6'
        WHEN u(133, row_key) > 0.999 THEN NULL
        ELSE '5'
    END AS attended,
    age AS age_on_appointment
FROM missed
ORDER BY number, j;

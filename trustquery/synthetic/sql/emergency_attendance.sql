-- Attendances that ended in a spell, worked back from the admission (left the department on that day, after a wait for a
-- bed, after a decision), and those that did not. More in winter and on Mondays, longer waits in winter.
WITH admitted AS (
    SELECT
        number, 0 AS source, k AS j, spell_key AS key, person_id, spell_id, age, admission_date AS day,
        '01' AS department_type, died AND stay = 0 AND u(110, spell_key) < 0.5 AS died_there,
        60 * ((hour_of_arrival(u(111, spell_key)) + 5) % 24) + floor(60 * u(112, spell_key)) AS departs,
        -- Minutes from decision to departure: median about two hours, one in thirty over twelve.
        least(2880, exp(4.8 + 0.5 * bell(113, spell_key) + 0.25 * cos((dayofyear(admission_date) - 15) * 0.0172)))::BIGINT AS bed_wait,
        least(1440, exp(5.1 + 0.25 * bell(114, spell_key)))::BIGINT AS assessment
    FROM spell
    WHERE trust_no = getvariable('trust_no') AND method = '21'
),
sized AS (
    SELECT *, least(500, floor(0.5 + 4.2 * power(-ln(1 - need), 0.9) * (0.15 + 0.85 * days / 1827.0)))::BIGINT AS n
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
        least(start_date + days, greatest(start_date, winter(start_date + floor(days * (j - 1 + u(115, key * 1024 + j)) / n)::INTEGER))) AS any_day
    FROM numbered
),
came AS (
    SELECT
        number, 1 AS source, j, row_key AS key, person_id, birth_date, CASE
            WHEN isodow(any_day) IN (3, 4) AND u(116, row_key) < 0.10 AND any_day - 3 > start_date THEN any_day - (isodow(any_day) - 1)::INTEGER
            ELSE any_day
        END AS day,
        pick(['01', '01', '01', '01', '01', '01', '01', '01', '01', '01', '01', '01', '02', '03', '03', '03', '03', '03', '03', '04', '04'], u(117, row_key)) AS department_type,
        60 * hour_of_arrival(u(111, row_key)) + floor(60 * u(112, row_key)) AS arrives,
        u(118, row_key) < 0.04 AS left_early
    FROM dated
),
timed AS (
    SELECT
        number, source, j, key, person_id, spell_id, age, department_type, day, departs - bed_wait - assessment AS arrives,
        departs - bed_wait - assessment * 0.7 AS seen, departs - bed_wait AS decides, departs,
        CASE WHEN died_there THEN '10' ELSE '01' END AS disposal
    FROM admitted
    UNION ALL
    SELECT
        number, source, j, key, person_id, NULL, greatest(0, years_between(birth_date, day)), department_type, day, arrives,
        CASE WHEN NOT left_early THEN arrives + least(1440, exp(3.6 + 0.45 * bell(119, key))) END, NULL,
        arrives + least(2880, exp(
            CASE department_type WHEN '01' THEN 5.05 WHEN '02' THEN 4.7 ELSE 4.4 END + 0.32 * bell(120, key)
            + 0.12 * cos((dayofyear(day) - 15) * 0.0172)
        )) + CASE WHEN left_early THEN 0 ELSE least(200, exp(3.6 + 0.45 * bell(119, key))) * 0.3 END,
        CASE WHEN left_early THEN '12' ELSE pick(
            ['02', '02', '02', '02', '02', '02', '02', '02', '02', '03', '03', '03', '03', '03', '05', '06', '11', '14', '14', '13', '04', '07'],
            u(121, key)
        ) END
    FROM came
)
SELECT
    person_id,
    spell_id,
    department_type,
    CASE
        WHEN department_type = '01' AND u(122, key) < 0.12 + 0.005 * age + CASE WHEN source = 0 THEN 0.25 ELSE 0 END THEN '1'
        WHEN u(122, key) > 0.998 THEN NULL
        ELSE '2'
    END AS arrival_mode,
    -- A few arrivals have lost their time of day, and a few departures were never entered.
    CASE WHEN u(123, key) < 0.003 THEN day::TIMESTAMP ELSE at_minute(day, floor(arrives)) END AS arrival_at,
    at_minute(day, floor(least(seen, departs))) AS seen_at,
    at_minute(day, floor(decides)) AS decision_to_admit_at,
    CASE WHEN u(124, key) >= 0.005 THEN at_minute(day, floor(departs)) END AS departure_at,
    disposal AS attendance_disposal,
    age AS age_on_arrival
FROM timed
ORDER BY number, day, source, j;

-- An emergency stays one night on an assessment ward and then moves; a few need critical care, long stays end in
-- rehabilitation. The stays of a spell follow each other without a gap and add up to its length.
WITH planned AS (
    SELECT
        *,
        CASE
            WHEN class IN ('M', 'N', 'R') OR day_case OR stay = 0 OR age < 16 THEN 1
            WHEN class = 'E' THEN 1 + (stay >= 2)::INTEGER + (stay >= 4 AND u(80, spell_key) < 0.06)::INTEGER + (stay > 25)::INTEGER
            WHEN stay >= 4 AND u(80, spell_key) < 0.10 THEN 3
            ELSE 1
        END AS n
    FROM spell
    WHERE trust_no = getvariable('trust_no')
),
numbered AS (
    SELECT *, unnest(range(1, n + 1)) AS j
    FROM planned
),
dated AS (
    SELECT
        *,
        admission_date + CASE WHEN j = 1 THEN 0 ELSE 1 + (stay - 1) * (j - 2) // (n - 1) END::INTEGER AS start_date,
        admission_date + CASE WHEN n = 1 THEN stay WHEN j = 1 THEN 1 ELSE 1 + (stay - 1) * (j - 1) // (n - 1) END::INTEGER AS end_date
    FROM numbered
)
SELECT
    person_id,
    spell_id,
    CASE
        WHEN class = 'N' THEN CASE WHEN getvariable('cases')[case_id].treatment_function = '422' THEN 'neonatal' ELSE 'maternity' END
        WHEN class = 'M' THEN 'maternity'
        WHEN class = 'R' OR day_case THEN 'day'
        WHEN age < 16 THEN 'paediatric'
        WHEN class = 'E' AND j = 1 THEN 'assessment'
        WHEN j = 2 AND stay >= 4 AND u(80, spell_key) < 0.10 AND (class = 'P' OR u(80, spell_key) < 0.06) THEN 'critical-care'
        WHEN j = n AND stay > 25 THEN 'rehabilitation'
        WHEN age >= 80 THEN 'elderly'
        ELSE 'general'
    END AS ward_type,
    start_date,
    CASE WHEN end_date <= getvariable('last_day') THEN end_date END AS end_date,
    CASE WHEN end_date <= getvariable('last_day') THEN end_date - start_date END::BIGINT AS bed_days
FROM dated
WHERE start_date <= getvariable('last_day')
ORDER BY number, k, j;

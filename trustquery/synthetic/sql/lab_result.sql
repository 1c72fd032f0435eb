-- People with diabetes have HbA1c far more often, at values of their own; kidney tests follow age and kidney disease.
WITH sized AS (
    SELECT
        *, conditions & 1 = 1 AS diabetic, conditions & 32 = 32 AS renal,
        least(1000, floor(0.5 + (8.5 + 5 * (conditions & 1)) * power(-ln(1 - need), 0.9) * (0.1 + 0.9 * days / 1827.0)))::BIGINT AS n
    FROM record
    WHERE trust_no = getvariable('trust_no')
),
numbered AS (
    SELECT *, unnest(range(1, n + 1)) AS j
    FROM sized
),
chosen AS (
    SELECT
        *, key * 1024 + j AS row_key,
        start_date + floor(days * (j - 1 + u(160, key * 1024 + j)) / n)::INTEGER AS day,
        CASE WHEN diabetic AND u(161, key * 1024 + j) < 0.3 THEN 'hba1c' ELSE pick(
            ['egfr', 'egfr', 'egfr', 'creatinine', 'creatinine', 'creatinine', 'sodium', 'sodium', 'potassium', 'potassium', 'haemoglobin', 'haemoglobin',
             'white-cells', 'white-cells', 'platelets', 'crp', 'alt', 'cholesterol', 'troponin', 'hba1c'], u(162, key * 1024 + j)
        ) END AS test_code
    FROM numbered
),
measured AS (
    SELECT
        *, bell(163, row_key) AS noise,
        -- A filtration rate of the person's own, falling with age.
        greatest(6, 118 - 0.75 * years_between(birth_date, day) + 4 * bell(164, g) - CASE WHEN renal THEN 30 ELSE 0 END) AS filtration
    FROM chosen
)
SELECT
    person_id,
    CASE
        WHEN u(165, row_key) < 0.01 THEN day::TIMESTAMP
        ELSE at_minute(day, 60 * pick([6, 7, 8, 8, 9, 9, 9, 10, 10, 11, 11, 12, 13, 14, 15, 16, 17, 19, 21], u(166, row_key)) + floor(60 * u(167, row_key)))
    END AS taken_at,
    test_code,
    CASE
        WHEN u(168, row_key) < 0.004 THEN NULL
        WHEN u(168, row_key) < 0.0042 THEN 99999.0
        ELSE round(greatest(0.1, CASE test_code
            WHEN 'hba1c' THEN CASE WHEN diabetic THEN 56 + 7 * bell(169, g) + 3 * noise ELSE 36.5 + 1.2 * bell(169, g) + 0.6 * noise END
            WHEN 'egfr' THEN filtration + 2 * noise
            WHEN 'creatinine' THEN 6800 / greatest(8, filtration) + 4 * noise
            WHEN 'sodium' THEN 139 + 1.6 * noise
            WHEN 'potassium' THEN 4.3 + 0.24 * noise
            WHEN 'haemoglobin' THEN 134 - 8 * (sex = '2')::INTEGER - CASE WHEN renal THEN 18 ELSE 0 END + 8 * noise
            WHEN 'white-cells' THEN exp(2.05 + 0.2 * noise)
            WHEN 'platelets' THEN 255 + 38 * noise
            WHEN 'crp' THEN exp(2.2 + 0.8 * noise)
            WHEN 'alt' THEN exp(3.2 + 0.25 * noise)
            WHEN 'cholesterol' THEN 4.8 + 0.55 * noise
            ELSE exp(2.3 + 0.75 * noise)
        END), 1)
    END::DOUBLE AS value
FROM measured
ORDER BY number, j;

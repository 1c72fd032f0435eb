-- A medicine for a long-term condition is drawn first, and given if the person has that condition; else a common one.
WITH sized AS (
    SELECT *, least(1000, floor(0.5 + (4.2 + 0.9 * bit_count(conditions)) * power(-ln(1 - need), 0.8) * (0.1 + 0.9 * days / 1827.0)))::BIGINT AS n
    FROM record
    WHERE trust_no = getvariable('trust_no')
),
numbered AS (
    SELECT *, unnest(range(1, n + 1)) AS j
    FROM sized
),
drawn AS (
    SELECT
        *, key * 1024 + j AS row_key, pick(getvariable('chronic'), u(170, key * 1024 + j)) AS long_term,
        pick(getvariable('common'), u(171, key * 1024 + j)) AS any_time
    FROM numbered
),
given AS (
    SELECT *, CASE WHEN (conditions >> long_term.bit) & 1 = 1 THEN long_term ELSE any_time END AS medicine
    FROM drawn
)
SELECT
    person_id,
    start_date + floor(days * (j - 1 + u(172, row_key)) / n)::INTEGER AS prescribed_date,
    medicine.name AS medicine,
    CASE WHEN u(173, row_key) >= 0.003 THEN medicine.section END AS bnf_section,
    (medicine.days * pick([1, 1, 1, 1, 2], u(174, row_key)))::BIGINT AS days_supplied
FROM given
ORDER BY number, j;

WITH here AS (
    SELECT DISTINCT number
    FROM spell
    WHERE trust_no = getvariable('trust_no') AND died
),
dead AS (
    SELECT
        r.person_id, r.number, r.death_date, r.g, h.number IS NOT NULL AS in_hospital,
        CASE
            WHEN u(190, r.g) < 0.02 THEN NULL
            WHEN conditions & 256 = 256 AND u(191, r.g) < 0.5 THEN 'F03'
            WHEN conditions & 8 = 8 AND u(191, r.g) < 0.3 THEN 'J44'
            WHEN conditions & 4 = 4 AND u(191, r.g) < 0.4 THEN 'I25'
            ELSE pick(['I21', 'I25', 'I63', 'I64', 'C34', 'C34', 'C18', 'C50', 'C61', 'C25', 'J18', 'J44', 'G30', 'F03', 'I50', 'K70', 'A41', 'X59', 'U07', 'N39'], u(192, r.g))
        END AS cause
    FROM record AS r
    LEFT JOIN here AS h ON h.number = r.number
    WHERE r.trust_no = getvariable('trust_no') AND r.death_date IS NOT NULL
)
SELECT
    person_id, death_date, cause AS underlying_cause, CASE WHEN cause IS NOT NULL THEN chapter_of(cause) END AS underlying_cause_chapter, in_hospital
FROM dead
ORDER BY number;

-- Taken up less in poorer areas and in most minority ethnic groups, and only by those alive when invited.
WITH invited AS (
    SELECT r.*, p.number AS campaign, p.vaccine, p.dose, p.uptake, p.opens + floor(90 * power(u(180, key * 64 + p.number), 1.4))::INTEGER AS day
    FROM record AS r, programme AS p
    WHERE
        r.trust_no = getvariable('trust_no')
        AND years_between(birth_date, p.opens) BETWEEN p.youngest AND p.oldest
        AND u(181, key * 64 + p.number) < p.uptake - 0.02 * (10 - imd_decile) - CASE WHEN ethnic_category IN ('A', 'B', 'R', 'H') THEN 0 ELSE 0.15 END
)
SELECT person_id, day AS vaccination_date, vaccine, dose::BIGINT AS dose_number
FROM invited
WHERE day <= start_date + days
ORDER BY number, day, campaign;

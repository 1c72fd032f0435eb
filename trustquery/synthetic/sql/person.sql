WITH checked AS (
    SELECT
        *,
        CASE
            WHEN start_date = birth_date AND u(60, key) < 0.02 THEN '08'
            WHEN u(60, key) < 0.930 THEN '01' WHEN u(60, key) < 0.955 THEN '02' WHEN u(60, key) < 0.962 THEN '03'
            WHEN u(60, key) < 0.982 THEN '04' WHEN u(60, key) < 0.992 THEN '07'
        END AS status,
        -- People of no fixed address, or with one that is not coded, have no area.
        u(61, key) < 0.012 AS no_area
    FROM record
    WHERE trust_no = getvariable('trust_no')
)
SELECT
    person_id,
    CASE WHEN status NOT IN ('04', '07', '08') THEN nhs_number END AS nhs_number,
    status AS nhs_number_status,
    CASE WHEN u(62, key) < 0.0005 THEN 'U' WHEN u(62, key) < 0.001 THEN NULL ELSE sex END AS sex,
    CASE WHEN u(63, key) < 0.0005 THEN pick([1800, 1850, 2099], u(64, key)) ELSE year(birth_date) END::BIGINT AS year_of_birth,
    CASE
        WHEN u(65, key) < 0.05 THEN NULL WHEN u(65, key) < 0.12 THEN 'Z' WHEN u(65, key) < 0.135 THEN '99'
        WHEN u(65, key) < 0.137 THEN '0' ELSE ethnic_category
    END AS ethnic_category,
    CASE WHEN NOT no_area THEN imd_decile END AS imd_decile,
    CASE WHEN NOT no_area THEN 'E01' || lpad(area::VARCHAR, 6, '0') END AS lsoa11,
    CASE WHEN NOT no_area THEN 'E02' || lpad((area // 5)::VARCHAR, 6, '0') END AS msoa11,
    CASE WHEN NOT no_area THEN getvariable('boards')[1 + (home + (u(66, g) < 0.06)::INTEGER) % 10].icb END AS icb,
    CASE WHEN NOT no_area THEN getvariable('boards')[1 + (home + (u(66, g) < 0.06)::INTEGER) % 10].region END AS region
FROM checked
ORDER BY number;

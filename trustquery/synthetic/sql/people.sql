-- People, and their records at trusts. A person is one row of people whichever trusts see them; a record is one person
-- at one trust, with an index number of that trust's own. How often somebody needs care ("frailty", uniform) drives
-- their age, illness and number of events, so that these go together while each keeps its own distribution.

-- NHS numbers from the range kept for tests (999 000 0000 to 999 999 9999), each used once. The tenth digit is the
-- check digit, modulus 11; prefixes whose check digit would be 10 are not valid and are passed over. About 909,000 are
-- left: people beyond that have none.
CREATE TABLE numbered AS
WITH prefix AS (
    SELECT n, 999000000 + (n * 739391 + (getvariable('mix') % 1000000)::BIGINT) % 1000000 AS digits
    FROM range(least(getvariable('episodes') // 3 + 500, 1000000)) AS r(n)
),
checked AS (
    SELECT
        n, digits,
        (
            11 - (
                digits // 100000000 * 10 + digits // 10000000 % 10 * 9 + digits // 1000000 % 10 * 8
                + digits // 100000 % 10 * 7 + digits // 10000 % 10 * 6 + digits // 1000 % 10 * 5
                + digits // 100 % 10 * 4 + digits // 10 % 10 * 3 + digits % 10 * 2
            ) % 11
        ) % 11 AS check_digit
    FROM prefix
)
SELECT row_number() OVER (ORDER BY n) - 1 AS g, (digits * 10 + check_digit)::VARCHAR AS nhs_number
FROM checked
WHERE check_digit < 10;

-- What is true of a person wherever they are seen; more people than will be needed.
CREATE TABLE people AS
WITH drafted AS (
    SELECT
        g,
        u(1, g) AS frailty,
        CASE WHEN u(2, g) < 0.5 THEN u(1, g) ELSE u(3, g) END AS age_rank,
        least(floor(len(getvariable('trusts')) * power(u(4, g), 1.1)), len(getvariable('trusts')) - 1)::BIGINT AS home,
        -- A fifth of people are seen at a second trust, a tenth of those at a third.
        CASE WHEN u(5, g) < 0.02 THEN 3 WHEN u(5, g) < 0.20 THEN 2 ELSE 1 END AS seen_at
    FROM range(getvariable('episodes') // 4 + 200) AS p(g)
),
aged AS (
    SELECT
        *,
        -- Age on the last day follows the age pyramid of hospital patients.
        getvariable('last_day') - (
            365.2425 * curve([0, 2, 7, 13, 19, 24, 28, 32, 36, 40, 45, 50, 54, 58, 62, 66, 71, 75, 80, 86, 104], age_rank)
        )::INTEGER AS birth_date,
        CASE WHEN u(10, g) < 0.478 THEN '1' WHEN u(10, g) < 0.998 THEN '2' WHEN u(10, g) < 0.9985 THEN '9' ELSE 'X' END AS sex,
        -- Poorer areas send more patients: the decile leans on frailty.
        least(9, floor(10 * power(CASE WHEN u(11, g) < 0.3 THEN 1 - frailty ELSE u(12, g) END, 1.15)))::BIGINT AS tenth
    FROM drafted
),
placed AS (
    SELECT
        *,
        -- Six hundred small areas around each trust; the last digit of the code is the decile less one.
        1000 * (1 + home % 32) + 10 * floor(60 * u(13, g))::BIGINT + tenth AS area,
        CASE
            WHEN u(14, g) < 0.96 - 0.025 * (9 - tenth)
                THEN pick(['A', 'A', 'A', 'A', 'A', 'A', 'A', 'A', 'A', 'A', 'A', 'A', 'A', 'C', 'B'], u(15, g))
            ELSE pick(['H', 'H', 'J', 'J', 'K', 'L', 'M', 'N', 'N', 'P', 'R', 'S', 'D', 'E', 'F', 'G', 'C', 'C'], u(15, g))
        END AS ethnic_category,
        greatest(getvariable('first_day'), birth_date) AS start_date
    FROM aged
),
mortal AS (
    SELECT
        *,
        years_between(birth_date, getvariable('last_day')) AS age_at_end,
        -- The risk of death doubles about every seven years of age (Gompertz), and is higher in the frail.
        start_date - birth_date + least(
            50000,
            365.2425 / 0.095 * ln(1 + 0.095 / 0.00005 * wait(16, g) / (0.5 + frailty) / exp(0.095 * (start_date - birth_date) / 365.2425))
        )::INTEGER AS days_lived
    FROM placed
),
ended AS (
    SELECT
        *,
        CASE WHEN birth_date + days_lived::INTEGER <= getvariable('last_day') THEN birth_date + days_lived::INTEGER END AS death_date,
        greatest(age_at_end - 30, 0) * (0.6 + 0.8 * frailty) AS wear,
        ethnic_category IN ('H', 'J', 'K', 'L') AS south_asian
    FROM mortal
)
SELECT
    e.g, frailty, home, seen_at, birth_date, sex, ethnic_category, tenth + 1 AS imd_decile, area, start_date, age_at_end, death_date,
    (least(getvariable('last_day'), coalesce(death_date, getvariable('last_day'))) - start_date)::INTEGER AS days,
    nhs_number,
    (
        (
            u(20, e.g) < CASE WHEN age_at_end < 25 THEN 0.004 ELSE 0.01 + 0.006 * (9 - tenth) + 0.10 * south_asian::INTEGER END
            + 0.0035 * wear
        )::INTEGER
        + 2 * (u(21, e.g) < 0.009 * wear)::INTEGER
        + 4 * (u(22, e.g) < 0.0032 * wear)::INTEGER
        + 8 * (u(23, e.g) < 0.0013 * wear + CASE WHEN wear > 10 THEN 0.006 * (9 - tenth) ELSE 0 END)::INTEGER
        + 16 * (u(24, e.g) < 0.10)::INTEGER
        + 32 * (u(25, e.g) < 0.0026 * wear)::INTEGER
        + 64 * (u(26, e.g) < 0.0015 * wear)::INTEGER
        + 128 * (u(27, e.g) < 0.0019 * wear)::INTEGER
        + 256 * (u(28, e.g) < CASE WHEN wear > 40 THEN 0.10 ELSE 0 END)::INTEGER
        + 512 * (u(29, e.g) < CASE WHEN age_at_end > 15 THEN 0.08 + 0.006 * (9 - tenth) ELSE 0 END)::INTEGER
    )::INTEGER AS conditions
FROM ended AS e
LEFT JOIN numbered AS n ON n.g = e.g;

-- Admissions per record: median 4, nine in ten at most 10, the busiest about 260, fewer for those alive for only part of
-- the study. Calibrated so that keeping five rows a person loses 27 % of admissions; a test holds it there. Records are
-- taken until the number of episodes asked for is reached, so that the total is exact.
CREATE TABLE counted AS
WITH drawn AS (
    SELECT
        g, place, g * 4 + place AS key, days,
        (
            home + CASE place
                WHEN 0 THEN 0
                ELSE 1 + (floor(u(6, g) * (len(getvariable('trusts')) - 1))::BIGINT + place - 1) % greatest(1, len(getvariable('trusts')) - 1)
            END
        ) % len(getvariable('trusts')) AS trust_no,
        CASE WHEN u(7, g * 4 + place) < 0.6 THEN frailty ELSE u(8, g * 4 + place) END AS need,
        CASE WHEN u(9, g * 4 + place) < 0.0018 THEN 12 ELSE 1 END AS often
    FROM people, range(3) AS p(place)
    WHERE place < least(seen_at, len(getvariable('trusts')))
),
sized AS (
    SELECT
        *,
        least(261, floor(0.5 + 5.45 * power(-ln(1 - need), 0.75) * (0.1 + 0.9 * days / 1827.0))::BIGINT * often) AS wanted
    FROM drawn
),
summed AS (
    SELECT *, sum(wanted) OVER (ORDER BY g, place) - wanted AS before
    FROM sized
)
SELECT * EXCLUDE (wanted, before), least(wanted, getvariable('episodes') - before)::BIGINT AS admissions
FROM summed
WHERE before < getvariable('episodes');

-- One row per person and trust, ordered by trust and index number. The number says nothing about who the person is
-- elsewhere: each trust numbers its own patients in an order of its own.
CREATE TABLE record AS
WITH local AS (
    SELECT *, row_number() OVER (PARTITION BY trust_no ORDER BY hash(xor(key::UBIGINT * 4096 + 30, getvariable('mix'))), key) AS number
    FROM counted
)
SELECT
    l.key, l.trust_no, l.need, l.place, l.admissions, l.number,
    concat(getvariable('trusts')[1 + l.trust_no], '-', lpad(l.number::VARCHAR, 7, '0')) AS person_id,
    sum(l.admissions) OVER (PARTITION BY l.trust_no ORDER BY l.number)::BIGINT - l.admissions AS spells_before,
    p.*
FROM local AS l
JOIN people AS p ON p.g = l.g
ORDER BY l.trust_no, l.number;

-- Every admission of every record, with what the other hospital tables derive from it. Admissions of one person are
-- spread over the days they are alive within the study, in order; the last of somebody who dies is often the fatal one,
-- and some are emergencies soon after the discharge before.
CREATE TABLE spell AS
WITH numbered AS (
    SELECT r.*, unnest(range(1, admissions + 1)) AS k
    FROM record AS r
),
keyed AS (
    SELECT *, key * 512 + k AS spell_key, spells_before + k AS spell_id
    FROM numbered
),
classed AS (
    SELECT
        *,
        greatest(
            start_date, least(start_date + days, winter(start_date + floor(days * (k - 1 + u(40, spell_key)) / admissions)::INTEGER))
        ) AS spread_date,
        k = 1 AND place = 0 AND birth_date >= getvariable('first_day') AS newborn,
        death_date IS NOT NULL AND k = admissions AND place = 0 AND u(41, spell_key) < 0.8 AS fatal,
        k % 2 = 0 AND admissions <= 40
            AND u(42, spell_key) < 0.06 + 0.08 * frailty + CASE WHEN age_at_end > 70 THEN 0.05 ELSE 0 END AS readmission
    FROM keyed
),
dated AS (
    SELECT
        *,
        CASE
            WHEN newborn THEN birth_date
            WHEN fatal THEN greatest(start_date, death_date - floor(9 * wait(43, spell_key))::INTEGER)
            ELSE spread_date
        END AS base_date,
        CASE
            WHEN newborn THEN 'N'
            WHEN fatal OR readmission THEN 'E'
            WHEN admissions > 40 AND u(44, spell_key) < 0.9 THEN 'R'
            WHEN
                sex = '2' AND u(45, spell_key) < 0.28
                AND years_between(birth_date, spread_date) BETWEEN 18 AND 42 THEN 'M'
            WHEN
                u(46, spell_key) < 0.42 + 0.008 * (10 - imd_decile) + CASE
                    WHEN age_at_end < 8 THEN 0.35
                    WHEN age_at_end > 78 THEN 0.12
                    ELSE 0
                END THEN 'E'
            ELSE 'P'
        END AS class
    FROM classed
),
cased AS (
    SELECT
        *,
        getvariable('slots')[
            1 + (
                ((instr('EPMNR', class) - 1) * 3 + CASE
                    WHEN years_between(birth_date, base_date) < 16 THEN 0
                    WHEN years_between(birth_date, base_date) < 65 THEN 1
                    ELSE 2
                END) * 2 + (sex = '2')::INTEGER
            ) * 1000 + floor(1000 * u(47, spell_key))::INTEGER
        ] AS case_id
    FROM dated
),
stayed AS (
    SELECT
        *,
        class = 'P' AND 1000 * u(48, spell_key) < getvariable('cases')[case_id].day_case AS day_case,
        CASE
            WHEN class = 'R' OR (class = 'P' AND 1000 * u(48, spell_key) < getvariable('cases')[case_id].day_case) THEN 0
            -- Half of the last admissions end in death; after the others it follows at home.
            WHEN fatal AND u(55, spell_key) < 0.5 THEN death_date - base_date
            ELSE least(
                floor(
                    0.3 + getvariable('cases')[case_id].mean_stay * (0.5 + 0.008 * least(90, years_between(birth_date, base_date)))
                    * power(wait(49, spell_key), 1.25) * 0.95
                ), 400
            )
        END::INTEGER AS wanted_stay
    FROM cased
),
followed AS (
    SELECT
        *,
        lag(base_date + wanted_stay) OVER (PARTITION BY trust_no, number ORDER BY k) AS discharged_before
    FROM stayed
),
moved AS (
    SELECT
        *,
        CASE
            WHEN newborn OR fatal OR discharged_before IS NULL THEN base_date
            WHEN readmission
                THEN least(discharged_before + 1 + floor(28 * power(u(50, spell_key), 1.5))::INTEGER, start_date + days)
            -- Planned care keeps office days: most weekend dates move to the week after.
            WHEN class IN ('P', 'R') AND isodow(base_date) > 5 AND u(51, spell_key) < 0.85
                THEN least(base_date + (8 - isodow(base_date) + floor(5 * u(54, spell_key)))::INTEGER, start_date + days)
            ELSE base_date
        END AS admission_date
    FROM followed
),
ended AS (
    SELECT
        * EXCLUDE (days),
        CASE WHEN death_date <= admission_date + wanted_stay THEN death_date ELSE admission_date + wanted_stay END AS end_date,
        death_date <= admission_date + wanted_stay AS died
    FROM moved
)
SELECT
    trust_no, number, k, person_id, spell_key, spell_id, class, case_id, admission_date, day_case, imd_decile, conditions,
    frailty, coalesce(died, false) AS died, end_date > getvariable('last_day') AS still_in,
    CASE WHEN end_date <= getvariable('last_day') THEN end_date END AS discharge_date,
    end_date - admission_date AS stay,
    greatest(0, years_between(birth_date, admission_date)) AS age,
    CASE class
        WHEN 'E' THEN CASE
            WHEN readmission THEN pick(['21', '21', '21', '21', '22', '24'], u(52, spell_key))
            ELSE pick(['21', '21', '21', '21', '21', '21', '21', '21', '21', '21', '21', '21', '21', '21', '22', '22', '23', '24', '2A', '2B', '2D'], u(52, spell_key))
        END
        WHEN 'P' THEN pick(['11', '11', '11', '11', '12', '12', '12', '13'], u(52, spell_key))
        WHEN 'M' THEN pick(['31', '31', '31', '31', '31', '31', '31', '31', '31', '32'], u(52, spell_key))
        WHEN 'N' THEN pick(['82', '82', '82', '82', '82', '82', '82', '82', '82', '83'], u(52, spell_key))
        ELSE '13'
    END AS method
FROM ended
ORDER BY trust_no, number, k;

-- The main procedure of the case, and after some of them imaging, anaesthetic or site codes.
WITH done AS (
    SELECT
        number, k, person_id, spell_id, spell_key,
        admission_date + floor(least(stay, 4) * u(95, spell_key))::INTEGER AS procedure_date,
        list_prepend(
            getvariable('cases')[case_id].opcs4,
            pick(
                [[], [], [], ['Y981'], ['Z942'], ['U212'], ['Y767', 'Z289'], ['U354', 'Y981'], ['X332'], ['Y801']], u(96, spell_key)
            )
        ) AS codes
    FROM spell
    WHERE
        trust_no = getvariable('trust_no') AND u(75, spell_key) >= 0.005
        AND getvariable('cases')[case_id].opcs4 IS NOT NULL
),
listed AS (
    SELECT number, k, person_id, spell_id, procedure_date, generate_subscripts(codes, 1) AS position, unnest(codes) AS code
    FROM done
)
SELECT
    person_id, spell_id, position::BIGINT AS position, code AS opcs4, left(code, 3) AS opcs4_3, left(code, 1) AS opcs4_chapter,
    procedure_date
FROM listed
ORDER BY number, k, position;

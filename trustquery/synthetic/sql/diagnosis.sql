-- The main condition, then those long-term conditions of the person that the coder noted (seven in eight).
WITH noted AS (
    SELECT
        number, k, person_id, spell_id, admission_date,
        list_prepend(
            {
                'icd10': getvariable('cases')[case_id].icd10, 'icd10_3': getvariable('cases')[case_id].icd10_3,
                'icd10_chapter': getvariable('cases')[case_id].icd10_chapter
            },
            getvariable('mask_codes')[
                1 + (conditions & (floor(1024 * u(90, spell_key))::INTEGER | floor(1024 * u(91, spell_key))::INTEGER | floor(1024 * u(92, spell_key))::INTEGER))
            ]
        ) AS codes
    FROM spell
    WHERE trust_no = getvariable('trust_no') AND u(75, spell_key) >= 0.005
),
listed AS (
    SELECT number, k, person_id, spell_id, admission_date, generate_subscripts(codes, 1) AS position, unnest(codes) AS code
    FROM noted
)
SELECT
    person_id, spell_id, position::BIGINT AS position, code.icd10 AS icd10, code.icd10_3 AS icd10_3, code.icd10_chapter AS icd10_chapter,
    admission_date AS diagnosis_date
FROM listed
ORDER BY number, k, position;

-- Half a percent of spells are not coded yet; a few codes are none that the catalogue knows.
SELECT
    person_id,
    spell_id,
    admission_date,
    discharge_date,
    CASE WHEN u(70, spell_key) < 0.002 THEN '99' ELSE method END AS admission_method,
    CASE
        WHEN u(71, spell_key) < 0.001 THEN NULL WHEN class = 'R' THEN '3' WHEN day_case THEN '2' ELSE '1'
    END AS patient_classification,
    CASE WHEN u(72, spell_key) < 0.001 THEN '999' ELSE getvariable('cases')[case_id].treatment_function END AS treatment_function,
    CASE WHEN u(73, spell_key) >= 0.001 THEN age END AS age_on_admission,
    CASE WHEN discharge_date IS NOT NULL THEN stay END AS length_of_stay,
    CASE
        WHEN still_in THEN '8' WHEN died THEN '4' WHEN u(74, spell_key) < 0.02 THEN '2' WHEN u(74, spell_key) < 0.023 THEN '9' ELSE '1'
    END AS discharge_method,
    CASE WHEN u(75, spell_key) >= 0.005 THEN getvariable('cases')[case_id].icd10_3 END AS primary_diagnosis,
    CASE WHEN u(75, spell_key) >= 0.005 THEN getvariable('cases')[case_id].icd10_chapter END AS primary_diagnosis_chapter,
    CASE WHEN u(75, spell_key) >= 0.005 THEN getvariable('cases')[case_id].opcs4_3 END AS primary_procedure,
    CASE WHEN u(75, spell_key) >= 0.005 THEN getvariable('cases')[case_id].opcs4_chapter END AS primary_procedure_chapter
FROM spell
WHERE trust_no = getvariable('trust_no')
ORDER BY number, k;

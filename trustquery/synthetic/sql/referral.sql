SELECT
    person_id,
    pathway_id,
    referral_date,
    CASE WHEN u(140, row_key) < 0.002 THEN '98' ELSE pick(
        ['03', '03', '03', '03', '03', '03', '03', '03', '03', '03', '03', '03', '03', '05', '05', '04', '92', '15', '14', '10', '06', '17', '97'],
        u(141, row_key)
    ) END AS referral_source,
    priority,
    treatment_function,
    referral_date AS clock_start_date,
    stop_date AS clock_stop_date,
    CASE
        WHEN died_waiting THEN '36'
        WHEN stop_date IS NULL THEN pick(['10', '20', '20', '20', '12'], u(142, row_key))
        ELSE pick(['30', '30', '30', '30', '30', '30', '30', '30', '30', '30', '30', '30', '34', '34', '32', '31', '33', '35'], u(142, row_key))
    END AS rtt_status,
    age AS age_on_referral
FROM pathway
WHERE trust_no = getvariable('trust_no')
ORDER BY number, j;

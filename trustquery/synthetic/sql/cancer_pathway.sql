-- The two week wait referrals. Dates that would lie after the last day or after death have not happened.
WITH urgent AS (
    SELECT
        *,
        CASE WHEN age < 16 THEN 'children' WHEN sex = '2' THEN pick(
            ['breast', 'breast', 'breast', 'breast', 'breast', 'gynaecological', 'gynaecological', 'gynaecological', 'gynaecological', 'skin', 'skin',
             'skin', 'skin', 'lower-gi', 'lower-gi', 'lower-gi', 'lower-gi', 'head-and-neck', 'head-and-neck', 'upper-gi', 'lung', 'haematological',
             'urological', 'brain-cns', 'other', 'sarcoma'], u(150, row_key)
        ) ELSE pick(
            ['urological', 'urological', 'urological', 'urological', 'urological', 'skin', 'skin', 'skin', 'skin', 'skin', 'lower-gi', 'lower-gi',
             'lower-gi', 'lower-gi', 'lower-gi', 'head-and-neck', 'head-and-neck', 'upper-gi', 'upper-gi', 'lung', 'lung', 'haematological',
             'testicular', 'brain-cns', 'other', 'sarcoma'], u(150, row_key)
        ) END AS tumour_site,
        least(getvariable('last_day'), coalesce(death_date, getvariable('last_day'))) AS end_date,
        referral_date + (2 + 9 * exp(0.3 * bell(151, row_key)))::INTEGER AS seen,
        referral_date + (4 + 18 * exp(0.35 * bell(152, row_key)))::INTEGER AS informed,
        u(153, row_key) < 0.02 + 0.0011 * age AS cancer
    FROM pathway
    WHERE trust_no = getvariable('trust_no') AND priority = '3'
),
followed AS (
    SELECT
        *, greatest(informed, seen) AS told, greatest(informed, seen) + (9 * exp(0.45 * bell(154, row_key)))::INTEGER AS decided,
        greatest(informed, seen) + (9 * exp(0.45 * bell(154, row_key)))::INTEGER + (17 * exp(0.3 * bell(155, row_key)))::INTEGER AS treated
    FROM urgent
)
SELECT
    person_id,
    pathway_id,
    tumour_site,
    referral_date,
    CASE WHEN seen <= end_date THEN seen END AS first_seen_date,
    CASE WHEN told <= end_date THEN told END AS informed_date,
    CASE WHEN told <= end_date THEN cancer END AS cancer_found,
    CASE WHEN cancer AND decided <= end_date THEN decided END AS decision_to_treat_date,
    CASE WHEN cancer AND treated <= end_date THEN treated END AS treatment_date
FROM followed
ORDER BY number, j;

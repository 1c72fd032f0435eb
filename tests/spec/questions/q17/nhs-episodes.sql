SELECT c.tumour_site,
       count(*) AS referrals,
       count(*) FILTER (WHERE date_diff('day', r.clock_start_date, c.informed_date) <= 28) / count(*) AS told_within_28_days,
       count(*) FILTER (WHERE date_diff('day', r.clock_start_date, c.treatment_date) <= 62) AS treated_within_62_days
FROM referral r
JOIN cancer_pathway c ON c.person_id = r.person_id AND c.pathway_id = r.pathway_id
GROUP BY c.tumour_site

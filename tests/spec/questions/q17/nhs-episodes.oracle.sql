SELECT tumour_site, count(*) AS referrals,
       count(*) FILTER (informed_date <= clock_start_date + 28) / count(*) AS told_within_28_days,
       count(*) FILTER (treatment_date <= clock_start_date + 62) AS treated_within_62_days
FROM cancer_pathway
JOIN (SELECT person_id, pathway_id, clock_start_date FROM referral) USING (person_id, pathway_id)
GROUP BY tumour_site

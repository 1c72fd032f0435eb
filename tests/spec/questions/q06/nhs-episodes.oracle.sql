SELECT CASE WHEN age_on_admission IS NULL THEN '<missing>' WHEN age_on_admission < 18 THEN '<18' WHEN age_on_admission <= 49 THEN '18-49'
            WHEN age_on_admission <= 64 THEN '50-64' WHEN age_on_admission <= 79 THEN '65-79' ELSE '80+' END AS age,
       sum(CASE WHEN discharge_date - admission_date > 90 THEN 90 ELSE discharge_date - admission_date END) / count(discharge_date) AS nights
FROM admission
WHERE patient_classification = '1'
GROUP BY 1

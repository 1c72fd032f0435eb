SELECT printf('%d-%02d-01', year(admission_date), month(admission_date)) AS month,
       if(year(admission_date) = 2022, 'before', 'after') AS period,
       coded(region, 'region') AS region, count(*) AS admissions
FROM person JOIN admission USING (person_id)
WHERE year(admission_date) IN (2022, 2023)
GROUP BY ALL

SELECT date_trunc('month', a.admission_date) AS month,
       CASE WHEN a.admission_date < DATE '2023-01-01' THEN 'before' ELSE 'after' END AS period,
       p.region,
       count(*) AS admissions
FROM admission a
JOIN person p ON p.person_id = a.person_id
WHERE a.admission_date >= DATE '2022-01-01' AND a.admission_date < DATE '2024-01-01'
GROUP BY month, period, p.region

SELECT date_trunc('month', admission_date) AS month,
       CASE WHEN admission_method IN ('11', '12', '13') THEN 'elective'
            WHEN admission_method IN ('21', '22', '23', '24', '25', '2A', '2B', '2C', '2D', '28') THEN 'emergency'
            ELSE 'maternity, birth or transfer' END AS method,
       count(*) AS admissions
FROM admission
WHERE admission_date >= DATE '2022-01-01' AND admission_date < DATE '2024-01-01'
GROUP BY month, method

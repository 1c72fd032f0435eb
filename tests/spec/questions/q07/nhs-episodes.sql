WITH spell AS (
    SELECT person_id, discharge_date, discharge_method,
           lead(admission_date) OVER (
               PARTITION BY person_id ORDER BY admission_date, admission_method, discharge_method, discharge_date
           ) AS next_date,
           lead(admission_method) OVER (
               PARTITION BY person_id ORDER BY admission_date, admission_method, discharge_method, discharge_date
           ) AS next_method
    FROM admission
)
SELECT date_trunc('month', discharge_date) AS month,
       count(*) AS discharges,
       count(*) FILTER (WHERE next_method LIKE '2%' AND date_diff('day', discharge_date, next_date) BETWEEN 0 AND 30)
           AS readmissions,
       count(*) FILTER (WHERE next_method LIKE '2%' AND date_diff('day', discharge_date, next_date) BETWEEN 0 AND 30)
           / count(*) AS rate
FROM spell
WHERE discharge_date >= DATE '2022-01-01' AND discharge_date < DATE '2024-01-01' AND discharge_method <> '4'
GROUP BY month

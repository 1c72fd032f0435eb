SELECT strftime(admission_date, '%Y-%m-01') AS month,
       CASE substr(coalesce(admission_method, '?'), 1, 1)
           WHEN '1' THEN 'elective' WHEN '2' THEN 'emergency' ELSE 'maternity, birth or transfer'
       END AS method,
       count(person_id) AS admissions
FROM admission
WHERE year(admission_date) IN (2022, 2023)
GROUP BY ALL

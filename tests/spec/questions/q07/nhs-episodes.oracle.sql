WITH numbered AS (
    SELECT *, rank() OVER (ORDER BY admission_date, admission_method, discharge_method, discharge_date, rowid) AS place
    FROM admission
),
followed AS (
    SELECT b.discharge_date, b.discharge_method,
           (SELECT arg_min(n, n.place) FROM numbered AS n WHERE n.person_id = b.person_id AND n.place > b.place) AS after
    FROM numbered AS b
)
SELECT strftime(discharge_date, '%Y-%m-01') AS month,
       count(*) AS discharges,
       count(CASE WHEN after.admission_method[1] = '2' AND after.admission_date - discharge_date IN (FROM range(31)) THEN 1 END) AS readmissions,
       readmissions / discharges AS rate
FROM followed
WHERE year(discharge_date) BETWEEN 2022 AND 2023 AND discharge_method != '4'
GROUP BY month

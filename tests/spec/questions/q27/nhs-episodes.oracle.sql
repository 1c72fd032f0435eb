SELECT coded(region, 'region') AS region, count(*) AS people,
       sum(if(coalesce(ethnic_category, 'Z') IN ('Z', '99'), 1, 0)) / count(*) AS no_ethnicity,
       count(*) FILTER (nhs_number IS NULL) / count(*) AS no_nhs_number
FROM person
GROUP BY 1

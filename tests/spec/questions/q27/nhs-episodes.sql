SELECT region,
       count(*) AS people,
       count(*) FILTER (WHERE ethnic_category IS NULL OR ethnic_category IN ('Z', '99')) / count(*) AS no_ethnicity,
       count(*) FILTER (WHERE nhs_number_status IS NULL OR nhs_number_status IN ('04', '07', '08')) / count(*)
           AS no_nhs_number
FROM person
GROUP BY region

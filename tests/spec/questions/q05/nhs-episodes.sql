SELECT treatment_function,
       count(*) AS stays,
       quantile_cont(clamp(length_of_stay, 0, 60), 0.25) AS first_quarter,
       median(clamp(length_of_stay, 0, 60)) AS median,
       quantile_cont(clamp(length_of_stay, 0, 60), 0.75) AS third_quarter
FROM admission
WHERE length_of_stay >= 1
GROUP BY treatment_function

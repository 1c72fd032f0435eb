-- A quantile may be any value between the last one below the rank and the first one above it: both ends are given.
WITH stay AS (
    SELECT coded(treatment_function, 'treatment_function') AS treatment_function, least(length_of_stay, 60) AS nights
    FROM admission
    WHERE discharge_date > admission_date
),
placed AS (
    SELECT treatment_function, nights,
           count(*) OVER (PARTITION BY treatment_function) AS stays,
           count(*) OVER (PARTITION BY treatment_function ORDER BY nights) AS up_to
    FROM stay
)
SELECT treatment_function, any_value(stays) AS stays,
       min(nights) FILTER (up_to >= 0.25 * stays) AS first_quarter__low, min(nights) FILTER (up_to > 0.25 * stays) AS first_quarter__high,
       min(nights) FILTER (up_to >= 0.50 * stays) AS median__low, min(nights) FILTER (up_to > 0.50 * stays) AS median__high,
       min(nights) FILTER (up_to >= 0.75 * stays) AS third_quarter__low, min(nights) FILTER (up_to > 0.75 * stays) AS third_quarter__high
FROM placed
GROUP BY treatment_function

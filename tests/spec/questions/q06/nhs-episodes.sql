SELECT band(age_on_admission, 18, 50, 65, 80) AS age,
       avg(clamp(length_of_stay, 0, 90)) AS nights
FROM admission
WHERE patient_classification = '1'
GROUP BY age

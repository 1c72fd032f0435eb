SELECT CASE WHEN a.primary_diagnosis_chapter IN ('I', 'IX', 'X') THEN 'infection, heart or lungs'
            WHEN a.primary_diagnosis_chapter IN ('XI', 'XIV') THEN 'digestion or kidneys'
            WHEN a.primary_diagnosis_chapter = 'XIX' THEN 'injury or poisoning'
            WHEN a.primary_diagnosis_chapter = 'XVIII' THEN 'symptoms only'
            WHEN a.primary_diagnosis_chapter IS NOT NULL THEN 'anything else' END AS diagnosis_group,
       count(*) AS admissions,
       count(*) FILTER (WHERE date_diff('day', a.admission_date, d.death_date) BETWEEN 0 AND 30) AS deaths,
       count(*) FILTER (WHERE date_diff('day', a.admission_date, d.death_date) BETWEEN 0 AND 30) / count(*) AS mortality
FROM admission a
LEFT JOIN death d ON d.person_id = a.person_id
WHERE a.admission_method LIKE '2%'
GROUP BY diagnosis_group

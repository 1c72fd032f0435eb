WITH emergency AS (
    SELECT coalesce(
               map {
                   'I': 'infection, heart or lungs', 'IX': 'infection, heart or lungs', 'X': 'infection, heart or lungs',
                   'XI': 'digestion or kidneys', 'XIV': 'digestion or kidneys', 'XIX': 'injury or poisoning', 'XVIII': 'symptoms only'
               }[primary_diagnosis_chapter],
               if(primary_diagnosis_chapter IS NULL, '<missing>', 'anything else')
           ) AS diagnosis_group,
           EXISTS (
               FROM death
               WHERE death.person_id = admission.person_id
                 AND death_date >= admission_date AND death_date <= admission_date + INTERVAL 30 DAY
           ) AS died
    FROM admission
    WHERE starts_with(admission_method, '2')
)
SELECT diagnosis_group, count(*) AS admissions, count(*) FILTER (died) AS deaths, deaths / admissions AS mortality
FROM emergency
GROUP BY diagnosis_group

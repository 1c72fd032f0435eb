WITH counted AS (
    SELECT primary_diagnosis AS diagnosis, count(*) AS admissions
    FROM admission
    WHERE regexp_matches(primary_diagnosis, '^[A-Z][0-9][0-9]$')
    GROUP BY 1
)
FROM counted
QUALIFY row_number() OVER (ORDER BY admissions DESC, diagnosis) <= 20
ORDER BY admissions DESC, diagnosis

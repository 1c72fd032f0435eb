SELECT condition_concept_id::VARCHAR AS condition, count(*) AS records
FROM condition_occurrence
WHERE condition_concept_id <> 0
GROUP BY condition_concept_id
ORDER BY records DESC, condition_concept_id
LIMIT 20

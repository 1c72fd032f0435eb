SELECT k.concept_id AS condition, count(*) AS records
FROM condition_occurrence c
JOIN condition_concepts k ON k.concept_id = c.condition_concept_id
GROUP BY k.concept_id
ORDER BY records DESC, condition
LIMIT 20

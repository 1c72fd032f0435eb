SELECT p.gender_concept_id, count(DISTINCT p.person_id) AS people
FROM person p
WHERE 2019 - p.year_of_birth >= 18
  AND (
      EXISTS (SELECT 1 FROM condition_occurrence c WHERE c.person_id = p.person_id AND c.condition_source_value = '38341003')
      OR EXISTS (SELECT 1 FROM condition_occurrence c WHERE c.person_id = p.person_id AND c.condition_source_value = '55822004')
  )
  AND EXISTS (
      SELECT 1 FROM drug_exposure d
      WHERE d.person_id = p.person_id AND d.drug_concept_id IN (19081453, 40213154)
        AND d.drug_exposure_start_date >= DATE '2018-01-01' AND d.drug_exposure_start_date < DATE '2019-01-01'
  )
  AND NOT EXISTS (
      SELECT 1 FROM condition_occurrence c WHERE c.person_id = p.person_id AND c.condition_source_value = '44054006'
  )
GROUP BY p.gender_concept_id

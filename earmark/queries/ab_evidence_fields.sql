-- How often the shadow's answer to a field was the primary's, by arm.
-- @experiment STRING = ''    its name
-- @version INT64 = 1    its version

SELECT
  arm,
  field,
  compared,
  agreeing
FROM ab_shadow_fields
WHERE
  experiment = @experiment
  AND version = @version
ORDER BY arm, field

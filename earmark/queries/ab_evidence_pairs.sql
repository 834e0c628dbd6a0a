-- Uploads that two models heard, by the arm whose model listened in the shadow, with the sums of the differences.
-- @experiment STRING = ''    its name
-- @version INT64 = 1    its version

SELECT
  arm,
  pairs,
  errors,
  predict_s_n,
  predict_s_sum,
  predict_s_squares,
  confidence_n,
  confidence_sum,
  confidence_squares
FROM ab_shadow
WHERE
  experiment = @experiment
  AND version = @version
ORDER BY arm

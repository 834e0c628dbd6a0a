-- Uploads that two models heard, by the arm whose model listened in the shadow: how many pairs, how many without an answer
-- of the shadow, and of the differences (shadow minus primary) of inference time (warm pairs only) and of confidence
-- before the fallback: how many, their sum and their sum of squares.

SELECT
  experiment,
  version,
  arm,
  SUM(pairs) AS pairs,
  SUM(errors) AS errors,
  SUM(predict_s_n) AS predict_s_n,
  SUM(predict_s_sum) AS predict_s_sum,
  SUM(predict_s_squares) AS predict_s_squares,
  SUM(confidence_n) AS confidence_n,
  SUM(confidence_sum) AS confidence_sum,
  SUM(confidence_squares) AS confidence_squares
FROM ab_shadow_hours
GROUP BY experiment, version, arm

-- Uploads that two models heard, by hour (UTC) and by the arm whose model listened in the shadow: how many pairs, how many
-- without an answer of the shadow, and of the differences (shadow minus primary) of inference time (warm pairs only) and
-- of confidence before the fallback: how many, their sum and their sum of squares.

SELECT
  experiment,
  version,
  hour,
  arm,
  COUNT(*) AS pairs,
  COUNTIF(error_kind IS NOT NULL) AS errors,
  COUNT(predict_s) AS predict_s_n,
  COALESCE(SUM(predict_s), 0.0) AS predict_s_sum,
  COALESCE(SUM(predict_s * predict_s), 0.0) AS predict_s_squares,
  COUNT(confidence) AS confidence_n,
  COALESCE(SUM(confidence), 0.0) AS confidence_sum,
  COALESCE(SUM(confidence * confidence), 0.0) AS confidence_squares
FROM (
  SELECT
    experiment,
    version,
    TIMESTAMP_TRUNC(`at`, HOUR) AS hour,
    arm,
    error_kind,
    CASE WHEN warm THEN shadow_predict_s - primary_predict_s END AS predict_s,
    shadow_confidence - primary_confidence AS confidence
  FROM ab_pairs
) AS pairs
GROUP BY experiment, version, hour, arm

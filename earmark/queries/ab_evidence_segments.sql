-- Exploratory: an experiment by part of its traffic (tier, duration, language) and arm; nothing is decided by it.
-- @experiment STRING = ''    its name
-- @version INT64 = 1    its version

SELECT
  segment,
  value,
  arm,
  done,
  failed,
  rejected,
  diverted,
  fallback,
  low_confidence,
  over_sla,
  review,
  cold,
  predict_s_n,
  predict_s_sum,
  predict_s_squares,
  predict_s_audio,
  predict_s_audio_squares,
  predict_s_product,
  confidence_n,
  confidence_sum,
  confidence_squares,
  confidence_audio,
  confidence_audio_squares,
  confidence_product,
  cost_usd_n,
  cost_usd_sum,
  cost_usd_squares,
  cost_usd_audio,
  cost_usd_audio_squares,
  cost_usd_product,
  queued_s_n,
  queued_s_sum,
  queued_s_squares,
  queued_s_audio,
  queued_s_audio_squares,
  queued_s_product,
  total_s_n,
  total_s_sum,
  total_s_squares,
  total_s_audio,
  total_s_audio_squares,
  total_s_product
FROM ab_segments
WHERE
  experiment = @experiment
  AND version = @version
ORDER BY segment, value, arm

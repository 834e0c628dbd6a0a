-- Exploratory: an experiment by arm and part of the traffic (tier, duration, language).  With many parts one of them looks
-- different by chance, so nothing is decided by this view.  Counts and sums as in `ab_hours`; and for each metric the
-- seconds of audio of the jobs that have it, their squares, and the products of value and seconds.

SELECT
  experiment,
  version,
  arm,
  segment,
  CASE segment WHEN 'tier' THEN tier WHEN 'duration' THEN duration ELSE language END AS value,
  SUM(done) AS done,
  SUM(failed) AS failed,
  SUM(rejected) AS rejected,
  SUM(diverted) AS diverted,
  SUM(fallback) AS fallback,
  SUM(low_confidence) AS low_confidence,
  SUM(over_sla) AS over_sla,
  SUM(review) AS review,
  SUM(cold) AS cold,
  SUM(predict_s_n) AS predict_s_n,
  SUM(predict_s_sum) AS predict_s_sum,
  SUM(predict_s_squares) AS predict_s_squares,
  SUM(predict_s_audio) AS predict_s_audio,
  SUM(predict_s_audio_squares) AS predict_s_audio_squares,
  SUM(predict_s_product) AS predict_s_product,
  SUM(confidence_n) AS confidence_n,
  SUM(confidence_sum) AS confidence_sum,
  SUM(confidence_squares) AS confidence_squares,
  SUM(confidence_audio) AS confidence_audio,
  SUM(confidence_audio_squares) AS confidence_audio_squares,
  SUM(confidence_product) AS confidence_product,
  SUM(cost_usd_n) AS cost_usd_n,
  SUM(cost_usd_sum) AS cost_usd_sum,
  SUM(cost_usd_squares) AS cost_usd_squares,
  SUM(cost_usd_audio) AS cost_usd_audio,
  SUM(cost_usd_audio_squares) AS cost_usd_audio_squares,
  SUM(cost_usd_product) AS cost_usd_product,
  SUM(queued_s_n) AS queued_s_n,
  SUM(queued_s_sum) AS queued_s_sum,
  SUM(queued_s_squares) AS queued_s_squares,
  SUM(queued_s_audio) AS queued_s_audio,
  SUM(queued_s_audio_squares) AS queued_s_audio_squares,
  SUM(queued_s_product) AS queued_s_product,
  SUM(total_s_n) AS total_s_n,
  SUM(total_s_sum) AS total_s_sum,
  SUM(total_s_squares) AS total_s_squares,
  SUM(total_s_audio) AS total_s_audio,
  SUM(total_s_audio_squares) AS total_s_audio_squares,
  SUM(total_s_product) AS total_s_product,
  SUM(audio_s_sum) AS audio_s_sum
FROM ab_cells
CROSS JOIN (
  SELECT 'tier' AS segment
  UNION ALL
  SELECT 'duration' AS segment
  UNION ALL
  SELECT 'language' AS segment
) AS segments
GROUP BY experiment, version, arm, segment, value

-- Each hour (UTC) of an experiment by arm: how many jobs ended how, and for each metric how many values (n), their sum
-- and their sum of squares; of inference times (warm jobs only) also the median and the 95th percentile, nearest rank.
-- A rate is a count over done + failed.  Shadows are left out; diverted and rejected jobs count only as such.

SELECT
  sums.experiment,
  sums.version,
  sums.hour,
  sums.arm,
  sums.done,
  sums.failed,
  sums.rejected,
  sums.diverted,
  sums.fallback,
  sums.low_confidence,
  sums.over_sla,
  sums.review,
  sums.cold,
  sums.predict_s_n,
  sums.predict_s_sum,
  sums.predict_s_squares,
  sums.confidence_n,
  sums.confidence_sum,
  sums.confidence_squares,
  sums.cost_usd_n,
  sums.cost_usd_sum,
  sums.cost_usd_squares,
  sums.queued_s_n,
  sums.queued_s_sum,
  sums.queued_s_squares,
  sums.total_s_n,
  sums.total_s_sum,
  sums.total_s_squares,
  quantiles.predict_s_p50,
  quantiles.predict_s_p95,
  sums.audio_s_sum
FROM (
  SELECT
    experiment,
    version,
    hour,
    arm,
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
    SUM(confidence_n) AS confidence_n,
    SUM(confidence_sum) AS confidence_sum,
    SUM(confidence_squares) AS confidence_squares,
    SUM(cost_usd_n) AS cost_usd_n,
    SUM(cost_usd_sum) AS cost_usd_sum,
    SUM(cost_usd_squares) AS cost_usd_squares,
    SUM(queued_s_n) AS queued_s_n,
    SUM(queued_s_sum) AS queued_s_sum,
    SUM(queued_s_squares) AS queued_s_squares,
    SUM(total_s_n) AS total_s_n,
    SUM(total_s_sum) AS total_s_sum,
    SUM(total_s_squares) AS total_s_squares,
    SUM(audio_s_sum) AS audio_s_sum
  FROM ab_cells
  GROUP BY experiment, version, hour, arm
) AS sums
LEFT JOIN ab_hour_quantiles AS quantiles
  ON quantiles.experiment = sums.experiment
  AND quantiles.version = sums.version
  AND quantiles.hour = sums.hour
  AND quantiles.arm = sums.arm

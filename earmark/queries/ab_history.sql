-- An experiment hour by hour (UTC): jobs of each arm, how many failed or needed the fallback, and how they did on average.
-- @experiment STRING = ''    one experiment; empty = all
-- @version INT64 = 0    one version; 0 = all
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    first hour, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end, not included

SELECT
  experiment,
  version,
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:00:00Z', hour) AS hour,
  arm,
  done + failed AS jobs,
  failed,
  rejected,
  diverted,
  fallback,
  low_confidence,
  over_sla,
  review,
  SAFE_DIVIDE(predict_s_sum, predict_s_n) AS mean_predict_s,
  predict_s_p50,
  predict_s_p95,
  SAFE_DIVIDE(confidence_sum, confidence_n) AS mean_confidence,
  SAFE_DIVIDE(cost_usd_sum, cost_usd_n) AS mean_cost_usd,
  cost_usd_sum AS cost_usd
FROM ab_hours
WHERE
  (@experiment = '' OR experiment = @experiment)
  AND (@version = 0 OR version = @version)
  AND hour >= @since
  AND hour < @until
ORDER BY experiment, version, hour, arm

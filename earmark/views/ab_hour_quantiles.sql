-- Median and 95th percentile of the inference times of each hour (UTC) and arm of an experiment, by nearest rank: the
-- least value that at least half, or 95 %, of the values do not exceed.  Warm jobs only.

SELECT
  experiment,
  version,
  hour,
  arm,
  MIN(CASE WHEN place * 100 >= jobs * 50 THEN predict_s END) AS predict_s_p50,
  MIN(CASE WHEN place * 100 >= jobs * 95 THEN predict_s END) AS predict_s_p95
FROM (
  SELECT
    experiment,
    version,
    hour,
    arm,
    predict_s,
    ROW_NUMBER() OVER (PARTITION BY experiment, version, hour, arm ORDER BY predict_s) AS place,
    COUNT(*) OVER (PARTITION BY experiment, version, hour, arm) AS jobs
  FROM (
    SELECT experiment, version, TIMESTAMP_TRUNC(`at`, HOUR) AS hour, arm, predict_s
    FROM ab_trials
    WHERE NOT shadow AND NOT diverted AND status <> 'rejected' AND warm AND predict_s IS NOT NULL
  ) AS trials
) AS ranked
GROUP BY experiment, version, hour, arm

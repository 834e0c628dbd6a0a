-- The values of each metric in bins, by hour (UTC) and arm of an experiment: bin b holds values from 1.05 to the power of
-- b to below 1.05 to the power of b + 1, and bin -1000 zero, below and less than 1E-15.  In each bin the number of values
-- (n), sums of the values (y) and their squares (yy), of the seconds of audio (x) and theirs (xx), and of the products
-- (xy).  Beyond 1E15 a value counts as that, so that no sum overflows.
-- Shadows, diverted and rejected jobs are left out; inference counts warm jobs only.

SELECT
  experiment,
  version,
  hour,
  arm,
  metric,
  CASE WHEN y < 1E-15 THEN -1000 ELSE CAST(FLOOR(LN(y) / LN(1.05)) AS INT64) END AS bin,
  COUNT(*) AS n,
  SUM(y) AS y,
  SUM(y * y) AS yy,
  SUM(x) AS x,
  SUM(x * x) AS xx,
  SUM(x * y) AS xy
FROM (
  SELECT
    experiment,
    version,
    TIMESTAMP_TRUNC(`at`, HOUR) AS hour,
    arm,
    metric,
    LEAST(GREATEST(
      CASE metric
        WHEN 'predict_s' THEN CASE WHEN warm THEN predict_s END
        WHEN 'confidence' THEN confidence
        WHEN 'cost_usd' THEN cost_usd
        WHEN 'queued_s' THEN queued_s
        WHEN 'total_s' THEN total_s
      END, -1E15), 1E15) AS y,
    LEAST(GREATEST(audio_s, -1E15), 1E15) AS x
  FROM ab_trials
  CROSS JOIN (
    SELECT 'predict_s' AS metric
    UNION ALL
    SELECT 'confidence' AS metric
    UNION ALL
    SELECT 'cost_usd' AS metric
    UNION ALL
    SELECT 'queued_s' AS metric
    UNION ALL
    SELECT 'total_s' AS metric
  ) AS metrics
  WHERE NOT shadow AND NOT diverted AND status <> 'rejected'
) AS trials
WHERE y IS NOT NULL
GROUP BY experiment, version, hour, arm, metric, bin

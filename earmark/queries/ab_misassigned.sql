-- Whether the router kept to the buckets: assignments by experiment and version, with how many lie outside of the coverage
-- that they name, and how many are in another arm than their bucket's.
-- @experiment STRING = ''    one experiment; empty = all
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included

SELECT
  buckets.experiment,
  buckets.version,
  COUNT(*) AS assignments,
  COUNTIF(coverage_bucket >= ROUND(10000 * coverage)) AS uncovered,
  COUNTIF(arms.arm IS NULL OR arms.arm <> buckets.arm) AS misassigned
FROM ab_buckets AS buckets
LEFT JOIN ab_arms AS arms
  ON arms.experiment = buckets.experiment
  AND arms.version = buckets.version
  AND arms.first_bucket <= buckets.arm_bucket
  AND buckets.arm_bucket < arms.end_bucket
WHERE
  buckets.`at` >= @since
  AND buckets.`at` < @until
  AND (@experiment = '' OR buckets.experiment = @experiment)
GROUP BY buckets.experiment, buckets.version
ORDER BY buckets.experiment, buckets.version

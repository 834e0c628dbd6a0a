-- How many jobs the router put into each arm of an experiment, by hour (UTC).

SELECT
  experiment,
  version,
  hour,
  arm,
  COUNT(*) AS assigned
FROM (
  SELECT experiment, version, TIMESTAMP_TRUNC(`at`, HOUR) AS hour, arm
  FROM ab_assignments
) AS assignments
GROUP BY experiment, version, hour, arm

-- How often the shadow's answer to a field was the primary's, by hour (UTC), arm and field.

SELECT
  experiment,
  version,
  hour,
  arm,
  field,
  COUNT(*) AS compared,
  COUNTIF(agrees) AS agreeing
FROM (
  SELECT experiment, version, TIMESTAMP_TRUNC(`at`, HOUR) AS hour, arm, field, agrees
  FROM ab_agreements
) AS agreements
GROUP BY experiment, version, hour, arm, field

-- How often the shadow's answer to a field was the primary's, by arm and field.

SELECT
  experiment,
  version,
  arm,
  field,
  SUM(compared) AS compared,
  SUM(agreeing) AS agreeing
FROM ab_shadow_field_hours
GROUP BY experiment, version, arm, field

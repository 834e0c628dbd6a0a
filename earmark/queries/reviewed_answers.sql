-- The answers that people judged, each in its last judgement, as `earmark calibrate --from-reviews` reads them.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all
-- @model STRING = ''    one model; empty = all
-- @model_version STRING = ''    one version; empty = all

SELECT
  job_id,
  field,
  score,
  confidence,
  CASE WHEN `right` THEN 1 ELSE 0 END AS is_right,
  model,
  model_version,
  engine,
  prompt_version
FROM reviews
WHERE
  `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant)
  AND (@model = '' OR model = @model)
  AND (@model_version = '' OR model_version = @model_version)
ORDER BY job_id, field, value

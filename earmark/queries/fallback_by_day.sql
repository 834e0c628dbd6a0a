-- How often the fallback was asked, how many fields it answered better, and what it cost, by day and primary model: of
-- answered jobs, and of what it cost also that of jobs that failed.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all

SELECT
  FORMAT_TIMESTAMP('%Y-%m-%dT00:00:00Z', `at`) AS day,
  model,
  COUNTIF(status = 'done') AS jobs,
  COUNTIF(fallback_model IS NOT NULL) AS asked,
  SUM(fallback_fields) AS fields_taken,
  SUM(fallback_usd) AS fallback_usd,
  COUNTIF(review) AS for_review
FROM jobs
WHERE
  (status = 'done' OR fallback_usd > 0)
  AND `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant)
GROUP BY day, model
ORDER BY day DESC, model

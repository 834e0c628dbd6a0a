-- What the analysed recordings are, how sure the models were, and how many a person should look at.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all

SELECT
  content_type,
  COUNT(*) AS analyses,
  COUNTIF(review) AS reviews,
  AVG(confidence) AS mean_confidence,
  MIN(confidence) AS least_confidence,
  SUM(audio_s) AS audio_s
FROM jobs
WHERE
  `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant)
  AND status = 'done'
GROUP BY content_type
ORDER BY analyses DESC, content_type

-- How often each value of a list field (genres, moods, instruments, tags) was given, and how sure the models were.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all
-- @field STRING = ''    one field; empty = all

SELECT
  field,
  value,
  COUNT(*) AS recordings,
  AVG(confidence) AS mean_confidence
FROM labels
WHERE
  `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant)
  AND (@field = '' OR field = @field)
GROUP BY field, value
ORDER BY field, recordings DESC, value

-- Notices of deletion, by day and what became of them.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all

SELECT
  FORMAT_TIMESTAMP('%Y-%m-%dT00:00:00Z', `at`) AS day,
  state,
  COUNT(*) AS notices,
  SUM(objects) AS objects,
  SUM(size_bytes) AS size_bytes
FROM notices
WHERE
  `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant)
GROUP BY day, state
ORDER BY day, state

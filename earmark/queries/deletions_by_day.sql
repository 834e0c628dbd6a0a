-- What retention deleted and what it left, by day, class and outcome.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all

SELECT
  FORMAT_TIMESTAMP('%Y-%m-%dT00:00:00Z', `at`) AS day,
  object_class,
  outcome,
  COUNT(*) AS objects,
  SUM(size_bytes) AS size_bytes
FROM deletions
WHERE
  `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant)
GROUP BY day, object_class, outcome
ORDER BY day, object_class, outcome

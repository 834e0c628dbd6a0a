-- Comparisons of the catalogue with the buckets, the latest first.
-- @since TIMESTAMP = 1970-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    comparisons are of no tenant; others have none
-- @limit INT64 = 20    how many

SELECT
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', `at`) AS compared_at,
  bucket,
  objects,
  size_bytes,
  orphans,
  COALESCE(nobodys, 0) AS nobodys,
  ghosts,
  overdue,
  overdue_s,
  seconds
FROM inventories
WHERE
  `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant)
ORDER BY `at` DESC, bucket
LIMIT @limit

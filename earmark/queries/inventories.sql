-- Comparisons of the catalogue with the buckets, the latest first.
-- @limit INT64 = 20    how many

SELECT
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', `at`) AS compared_at,
  bucket,
  objects,
  size_bytes,
  orphans,
  ghosts,
  overdue,
  overdue_s,
  seconds
FROM inventories
ORDER BY `at` DESC, bucket
LIMIT @limit

-- What is kept for each tenant: objects and bytes by class and state, and since when.
-- @since TIMESTAMP = 1970-01-01T00:00:00Z    objects that came then or later
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    objects that came before
-- @tenant STRING = ''    one tenant; empty = all

SELECT
  tenant,
  object_class,
  state,
  COUNT(*) AS objects,
  SUM(size_bytes) AS size_bytes,
  MIN(FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', created_at)) AS oldest_at
FROM catalogue
WHERE
  created_at >= @since
  AND created_at < @until
  AND (@tenant = '' OR tenant = @tenant)
GROUP BY tenant, object_class, state
ORDER BY tenant, object_class, state

-- Rows of the audit log that belong to no link, in their order, as `earmark audit verify` looks through them.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one customer; empty = all
-- @after STRING = ''    rows with later ids than this one
-- @most INT64 = 1000    no more than so many

SELECT
  row_id,
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%S', `at`) AS at_second,
  action,
  subject,
  link
FROM audit
WHERE
  COALESCE(link, 0) <= 0
  AND (@after = '' OR row_id > @after)
  AND `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant)
ORDER BY row_id
LIMIT @most

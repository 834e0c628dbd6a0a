-- Customers whose latest notices of deletion failed, and since when they do.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one customer; empty = all

SELECT
  failed.tenant AS tenant,
  COUNT(*) AS notices,
  MIN(FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', failed.`at`)) AS failing_since
FROM notices AS failed
LEFT JOIN (
  SELECT tenant AS customer, MAX(row_id) AS last_row
  FROM notices
  WHERE state <> 'failed' AND `at` >= @since AND `at` < @until
  GROUP BY tenant
) AS other ON other.customer = failed.tenant
WHERE
  failed.state = 'failed'
  AND failed.`at` >= @since
  AND failed.`at` < @until
  AND (@tenant = '' OR failed.tenant = @tenant)
  AND (other.last_row IS NULL OR failed.row_id > other.last_row)
GROUP BY failed.tenant
ORDER BY failed.tenant

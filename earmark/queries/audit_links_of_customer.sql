-- Which links of the audit trail have rows that name a customer, in order; 0 for rows that have no link.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    the customer
-- @after INT64 = -1    links after this one
-- @most INT64 = 1000    no more than so many

SELECT DISTINCT COALESCE(link, 0) AS link
FROM audit
WHERE
  tenant = @tenant
  AND `at` >= @since
  AND `at` < @until
  AND COALESCE(link, 0) > @after
ORDER BY link
LIMIT @most

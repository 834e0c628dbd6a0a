-- The rows of some links of the audit trail, in their order, as `earmark audit verify` compares them with the links.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one customer; empty = all
-- @first INT64 = 1    first link, included
-- @last INT64 = 9223372036854775807    last link, included

SELECT
  row_id,
  tenant,
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%S', `at`) AS at_second,
  actor,
  action,
  subject,
  reason,
  detail,
  `before`,
  `after`,
  policy_version,
  link,
  link_hash
FROM audit
WHERE
  link >= @first
  AND link <= @last
  AND `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant)
ORDER BY row_id

-- Who did what, the latest first, as `earmark audit list` shows it.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one customer; empty = all
-- @pseudonym STRING = ''    what stands for that customer once it was erased
-- @action STRING = ''    one action, or the beginning of some, as retention. ; empty = all
-- @actor STRING = ''    one person or part; empty = all
-- @most INT64 = 1000    no more than so many

SELECT
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', `at`) AS at_second,
  actor,
  action,
  subject,
  tenant,
  reason,
  detail,
  `before`,
  `after`,
  policy_version,
  link,
  link_hash
FROM audit
WHERE
  `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant OR tenant = @pseudonym)
  AND (@action = '' OR STRPOS(action, @action) = 1)
  AND (@actor = '' OR actor = @actor)
ORDER BY `at` DESC, row_id DESC
LIMIT @most

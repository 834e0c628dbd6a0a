-- Why tries failed: each cause with how often it came, how often it was the last try, and when.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all

SELECT
  kind,
  stage,
  fingerprint,
  COUNT(*) AS failures,
  COUNTIF(final) AS final_failures,
  COUNT(DISTINCT job_id) AS recordings,
  MIN(message) AS example,
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', MIN(`at`)) AS first_at,
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', MAX(`at`)) AS last_at
FROM failures
WHERE
  `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant)
GROUP BY kind, stage, fingerprint
ORDER BY failures DESC, kind, stage, fingerprint

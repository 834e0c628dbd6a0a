-- Where tries fail: by hour (UTC), class, tenant and model, with how many were the last try and of how many jobs.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all

SELECT
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:00:00Z', `at`) AS hour,
  kind,
  tenant,
  model,
  COUNT(*) AS failures,
  COUNTIF(final) AS final_failures,
  COUNT(DISTINCT job_id) AS jobs
FROM failures
WHERE
  `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant)
GROUP BY hour, kind, tenant, model
ORDER BY hour, failures DESC, kind, tenant, model

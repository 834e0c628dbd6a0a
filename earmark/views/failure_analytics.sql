-- Where tries fail: by hour (UTC), class, tenant and model, with how many were the last try and of how many jobs.

SELECT
  TIMESTAMP_TRUNC(`at`, HOUR) AS hour,
  kind,
  tenant,
  model,
  COUNT(*) AS failures,
  COUNTIF(final) AS final_failures,
  COUNT(DISTINCT job_id) AS jobs
FROM failures
GROUP BY hour, kind, tenant, model

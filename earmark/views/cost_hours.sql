-- What jobs cost in each hour (UTC), by tenant, tier, lane, arm and model: how many there were, how many have an answer,
-- seconds of audio and of inference, and dollars: all, the primary's time, the fallback, and the rest, which is the bill
-- of a provider that is the primary.  `asked` counts the jobs about which the fallback was asked.

SELECT
  TIMESTAMP_TRUNC(`at`, HOUR) AS hour,
  tenant,
  tier,
  lane,
  arm,
  model,
  COUNT(*) AS jobs,
  COUNTIF(status = 'done') AS done,
  COUNTIF(fallback_model IS NOT NULL) AS asked,
  SUM(audio_s) AS audio_s,
  SUM(predict_s) AS predict_s,
  SUM(cost_usd) AS cost_usd,
  SUM(COALESCE(machine_usd, 0.0)) AS machine_usd,
  SUM(COALESCE(fallback_usd, 0.0)) AS fallback_usd,
  SUM(GREATEST(cost_usd - COALESCE(machine_usd, 0.0) - COALESCE(fallback_usd, 0.0), 0.0)) AS other_usd
FROM jobs
GROUP BY hour, tenant, tier, lane, arm, model

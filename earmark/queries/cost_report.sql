-- What jobs cost, by any of day (UTC), tenant, tier, lane, arm and model: money in all, for the primary's time and for
-- the fallback, jobs, audio, and of how many jobs the fallback was asked.  A column that is not asked for is empty.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all
-- @by_day INT64 = 0    1 = a row for each day
-- @by_tenant INT64 = 0    1 = a row for each tenant; the others likewise
-- @by_tier INT64 = 0    same
-- @by_lane INT64 = 0    same
-- @by_arm INT64 = 0    same
-- @by_model INT64 = 0    same

SELECT
  by_day AS day,
  by_tenant AS tenant,
  by_tier AS tier,
  by_lane AS lane,
  by_arm AS arm,
  by_model AS model,
  COUNT(*) AS jobs,
  COUNTIF(status = 'done') AS done,
  SUM(audio_s) AS audio_s,
  SUM(predict_s) AS predict_s,
  SUM(cost_usd) AS cost_usd,
  SUM(COALESCE(machine_usd, 0.0)) AS machine_usd,
  SUM(COALESCE(fallback_usd, 0.0)) AS fallback_usd,
  COUNTIF(fallback_model IS NOT NULL) AS asked
FROM (
  SELECT
    CASE WHEN @by_day = 1 THEN FORMAT_TIMESTAMP('%Y-%m-%d', `at`) ELSE '' END AS by_day,
    CASE WHEN @by_tenant = 1 THEN tenant ELSE '' END AS by_tenant,
    CASE WHEN @by_tier = 1 THEN tier ELSE '' END AS by_tier,
    CASE WHEN @by_lane = 1 THEN lane ELSE '' END AS by_lane,
    CASE WHEN @by_arm = 1 THEN arm ELSE '' END AS by_arm,
    CASE WHEN @by_model = 1 THEN model ELSE '' END AS by_model,
    status,
    audio_s,
    predict_s,
    cost_usd,
    machine_usd,
    fallback_usd,
    fallback_model
  FROM jobs
  WHERE
    `at` >= @since
    AND `at` < @until
    AND (@tenant = '' OR tenant = @tenant)
) AS keyed
GROUP BY by_day, by_tenant, by_tier, by_lane, by_arm, by_model
ORDER BY by_day, cost_usd DESC, by_tenant, by_tier, by_lane, by_arm, by_model

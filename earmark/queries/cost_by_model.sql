-- What each model cost in money and in seconds of inference, by experiment arm.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all

SELECT
  model,
  arm,
  COUNT(*) AS jobs,
  SUM(cost_usd) AS cost_usd,
  SAFE_DIVIDE(SUM(cost_usd), COUNTIF(status = 'done')) AS cost_per_analysis_usd,
  SUM(audio_s) AS audio_s,
  SUM(predict_s) AS predict_s,
  SAFE_DIVIDE(SUM(audio_s), SUM(predict_s)) AS audio_s_per_predict_s
FROM jobs
WHERE
  `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant)
GROUP BY model, arm
ORDER BY cost_usd DESC, model, arm

-- What a comparison of machines with a provider is made from: of each machine that a model was heard on, how long the
-- model took over how much audio (warm jobs alone); and over all answers their length, size and share of the fallback.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all
-- @model STRING = ''    the primary model; empty = any
-- @most_s FLOAT64 = 1000000000.0    seconds of a recording that the provider hears at most
-- @window_s FLOAT64 = 30.0    seconds of a recording that go into one request

SELECT
  hardware,
  COUNT(*) AS answers,
  COUNTIF(heard) AS heard_jobs,
  SUM(CASE WHEN heard THEN audio_s ELSE 0.0 END) AS heard_audio_s,
  SUM(CASE WHEN heard THEN predict_s ELSE 0.0 END) AS predict_s,
  SUM(audio_s) AS audio_s,
  SUM(LEAST(audio_s, @most_s)) AS provider_audio_s,
  SUM(0.0 - FLOOR(0.0 - LEAST(audio_s, @most_s) / @window_s)) AS requests,
  SUM(size_bytes) AS size_bytes,
  COUNTIF(asked) AS asked,
  SUM(fallback_usd) AS fallback_usd,
  MIN(FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', `at`)) AS first_at,
  MAX(FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', `at`)) AS last_at
FROM (
  SELECT
    COALESCE(hardware, '') AS hardware,
    warm AND predict_s > 0 AND audio_s > 0 AND (fallback_model IS NULL OR model <> fallback_model) AS heard,
    fallback_model IS NOT NULL AS asked,
    audio_s,
    predict_s,
    size_bytes,
    COALESCE(fallback_usd, 0.0) AS fallback_usd,
    `at`
  FROM jobs
  WHERE
    status = 'done'
    AND `at` >= @since
    AND `at` < @until
    AND (@tenant = '' OR tenant = @tenant)
    AND (@model = '' OR model = @model OR model = fallback_model)
) AS answered
GROUP BY hardware
ORDER BY hardware

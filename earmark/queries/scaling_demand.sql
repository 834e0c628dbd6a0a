-- What workers did, by lane: jobs that ended with audio, their audio, how long they waited, and what a model took over those it heard.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all

SELECT
  lane,
  COUNT(*) AS jobs,
  SUM(audio_s) AS audio_s,
  SUM(size_bytes) AS size_bytes,
  SUM(queued_s) AS queued_s,
  SUM(CASE WHEN heard THEN audio_s ELSE 0 END) AS heard_audio_s,
  SUM(CASE WHEN heard THEN predict_s ELSE 0 END) AS busy_s
FROM (
  SELECT
    *,
    warm AND predict_s > 0 AND (fallback_model IS NULL OR model <> fallback_model) AS heard
  FROM jobs
  WHERE
    `at` >= @since
    AND `at` < @until
    AND audio_s > 0
    AND (@tenant = '' OR tenant = @tenant)
) AS ended
GROUP BY lane
ORDER BY lane

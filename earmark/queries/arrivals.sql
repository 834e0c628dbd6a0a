-- When each job with audio came, in seconds since 1970, its lane and its audio: what `earmark simulate --trace` plays.
-- Of a job that failed it is when its last try began that its wait is counted to.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window in which it ended, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all

SELECT
  ROUND(UNIX_MILLIS(`at`) / 1000.0 - CASE WHEN total_s > queued_s THEN total_s ELSE queued_s END, 3) AS at_s,
  lane,
  audio_s
FROM jobs
WHERE
  `at` >= @since
  AND `at` < @until
  AND audio_s > 0
  AND (@tenant = '' OR tenant = @tenant)
ORDER BY at_s, lane, row_id

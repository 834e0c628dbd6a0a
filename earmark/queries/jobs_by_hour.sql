-- What happened in each hour (UTC) and lane: how many jobs ended how, how long they waited and took.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one tenant; empty = all

SELECT
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:00:00Z', `at`) AS hour,
  lane,
  COUNT(*) AS jobs,
  COUNTIF(status = 'done') AS done,
  COUNTIF(status = 'rejected') AS rejected,
  COUNTIF(status = 'failed') AS failed,
  SUM(audio_s) AS audio_s,
  AVG(queued_s) AS mean_queued_s,
  MAX(queued_s) AS longest_queued_s,
  AVG(total_s) AS mean_total_s,
  MAX(total_s) AS longest_total_s
FROM jobs
WHERE
  `at` >= @since
  AND `at` < @until
  AND (@tenant = '' OR tenant = @tenant)
GROUP BY hour, lane
ORDER BY hour, lane

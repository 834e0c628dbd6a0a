-- Jobs of one customer that ended since a moment, and their seconds of audio: what its daily limit is held against.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    from when on, included
-- @tenant STRING = ''    the customer

SELECT
  COUNT(*) AS jobs,
  SUM(audio_s) AS audio_s
FROM jobs
WHERE
  `at` >= @since
  AND tenant = @tenant

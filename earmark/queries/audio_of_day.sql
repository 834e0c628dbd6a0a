-- Jobs of one customer that ended since a moment, and their seconds of audio: what its daily limit is held against.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    from when on, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    until when, not included
-- @tenant STRING = ''    the customer

SELECT
  COUNT(*) AS jobs,
  SUM(audio_s) AS audio_s
FROM jobs
WHERE
  `at` >= @since
  AND `at` < @until
  AND tenant = @tenant

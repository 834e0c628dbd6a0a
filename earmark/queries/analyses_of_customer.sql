-- The analyses of one customer, the latest first, a page at a time.
-- @tenant STRING = ''    the customer
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    settled then or later
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    settled before
-- @status STRING = ''    done, rejected or failed; empty = all
-- @content_type STRING = ''    one content type; empty = all
-- @min_confidence FLOAT64 = -1.0    least confidence; below 0 = any, or none
-- @review INT64 = -1    1 = marked for review, 0 = not; -1 = all
-- @before_at TIMESTAMP = 9999-01-01T00:00:00Z    the last one of the page before was settled then
-- @before_id STRING = ''    its id
-- @most INT64 = 50    no more than so many

SELECT
  row_id AS id,
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6SZ', `at`) AS settled_at,
  status,
  content_type,
  confidence,
  CASE WHEN review THEN 1 ELSE 0 END AS review,
  model,
  language,
  tempo_bpm,
  audio_s,
  size_bytes,
  error_kind
FROM jobs
WHERE
  tenant = @tenant
  AND `at` >= @since
  AND `at` < @until
  AND (@status = '' OR status = @status)
  AND (@content_type = '' OR content_type = @content_type)
  AND (@min_confidence < 0 OR confidence >= @min_confidence)
  AND (@review = -1 OR (@review = 1 AND review) OR (@review = 0 AND NOT review))
  AND (`at` < @before_at OR (`at` = @before_at AND row_id < @before_id))
ORDER BY `at` DESC, row_id DESC
LIMIT @most

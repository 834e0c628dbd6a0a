-- Where the audio of a content of a customer lies, the latest first.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    the customer
-- @content STRING = ''    SHA-256 of the content
-- @most INT64 = 20    no more than so many

SELECT bucket, name
FROM catalogue
WHERE
  `at` >= @since
  AND `at` < @until
  AND tenant = @tenant
  AND content_sha256 = @content
  AND object_class IN ('upload', 'temporary')
  AND state IN ('active', 'noticed')
ORDER BY `at` DESC, row_id
LIMIT @most

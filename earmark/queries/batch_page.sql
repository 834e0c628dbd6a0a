-- Entries of a batch in their order, a page at a time, with how their jobs ended.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    when the batch was made, or earlier
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    whose batch
-- @batch STRING = ''    its id
-- @only STRING = ''    waiting: queued, and not ended; failed: rejected or failed; empty = all
-- @after INT64 = 0    entries behind this one
-- @most INT64 = 1000    no more than so many

SELECT
  entry,
  source,
  reference,
  job_id,
  routed,
  error_kind,
  error,
  remedy,
  standing
FROM (
  SELECT
    e.entry,
    e.source,
    e.reference,
    e.job_id,
    e.routed,
    e.error_kind,
    e.error,
    e.remedy,
    CASE
      WHEN e.routed = 'rejected' THEN 'rejected'
      WHEN e.routed = 'known' THEN 'done'
      WHEN e.routed = 'duplicate' AND j.status IS NOT NULL THEN j.status
      WHEN j.`at` >= e.`at` THEN j.status
      ELSE 'pending'
    END AS standing
  FROM batch_entries AS e
  LEFT JOIN jobs AS j ON j.row_id = e.job_id AND j.tenant = e.tenant
  WHERE
    e.tenant = @tenant
    AND e.batch = @batch
    AND e.entry > @after
    AND e.`at` >= @since
    AND e.`at` < @until
) AS seen
WHERE
  @only = ''
  OR (@only = 'waiting' AND routed = 'queued' AND standing = 'pending')
  OR (@only = 'failed' AND standing IN ('failed', 'rejected'))
ORDER BY entry
LIMIT @most

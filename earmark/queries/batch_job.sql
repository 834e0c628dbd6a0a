-- Batches for which a job of one customer waits, with when they queued it, the earliest first.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    when the first of them was made, or earlier
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    the customer
-- @job STRING = ''    the job's id

SELECT
  e.batch AS batch,
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6SZ', MIN(e.`at`)) AS queued_at
FROM batch_entries AS e
LEFT JOIN jobs AS j ON j.row_id = e.job_id AND j.tenant = e.tenant
WHERE
  e.tenant = @tenant
  AND e.job_id = @job
  AND e.routed = 'queued'
  AND e.`at` >= @since
  AND e.`at` < @until
  AND (j.`at` IS NULL OR j.`at` < e.`at`)
GROUP BY e.batch
ORDER BY queued_at, e.batch

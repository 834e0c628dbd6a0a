-- Jobs of one customer that batches queued and that have not ended, by batch.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    queued then or later
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    the customer

SELECT
  e.batch AS batch,
  COUNT(*) AS jobs
FROM batch_entries AS e
LEFT JOIN jobs AS j ON j.row_id = e.job_id AND j.tenant = e.tenant
WHERE
  e.tenant = @tenant
  AND e.routed = 'queued'
  AND e.`at` >= @since
  AND e.`at` < @until
  AND (j.`at` IS NULL OR j.`at` < e.`at`)
GROUP BY e.batch
ORDER BY e.batch

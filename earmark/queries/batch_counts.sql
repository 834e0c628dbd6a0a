-- How far a batch has come: its entries by how they were routed and how their jobs ended, and what ended lately.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    when the batch was made, or earlier
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    whose batch
-- @batch STRING = ''    its id
-- @recent TIMESTAMP = 9999-01-01T00:00:00Z    jobs that ended from then on have ended lately

SELECT
  routed,
  standing,
  COUNT(*) AS entries,
  SUM(ended_lately) AS recent,
  MAX(ended_at) AS latest
FROM (
  SELECT
    e.routed,
    CASE
      WHEN e.routed = 'rejected' THEN 'rejected'
      WHEN e.routed = 'known' THEN 'done'
      WHEN e.routed = 'duplicate' AND j.status IS NOT NULL THEN j.status
      WHEN j.`at` >= e.`at` THEN j.status
      ELSE 'pending'
    END AS standing,
    CASE WHEN e.routed = 'queued' AND j.`at` >= e.`at` AND j.`at` >= @recent THEN 1 ELSE 0 END AS ended_lately,
    FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', j.`at`) AS ended_at
  FROM batch_entries AS e
  LEFT JOIN jobs AS j ON j.row_id = e.job_id AND j.tenant = e.tenant
  WHERE
    e.tenant = @tenant
    AND e.batch = @batch
    AND e.`at` >= @since
    AND e.`at` < @until
) AS seen
GROUP BY routed, standing
ORDER BY routed, standing

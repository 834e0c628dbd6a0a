-- Which batches of a customer have an entry that is this job.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    the customer
-- @job STRING = ''    the job's id

SELECT DISTINCT batch
FROM batch_entries
WHERE
  tenant = @tenant
  AND job_id = @job
  AND `at` >= @since
  AND `at` < @until
ORDER BY batch

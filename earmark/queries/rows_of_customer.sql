-- How many rows of each table are about a customer, or about some of its jobs and objects, for an erasure.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    the customer
-- @whole INT64 = 1    1 = everything of it; 0 = only what is named
-- @jobs STRING = ''    ids of jobs, each between bars: |a|b|
-- @objects STRING = ''    ids of objects, same

SELECT 'jobs' AS name, COUNT(*) AS n
FROM jobs
WHERE
  tenant = @tenant AND `at` >= @since AND `at` < @until
  AND (@whole = 1 OR STRPOS(@jobs, CONCAT('|', row_id, '|')) > 0)
UNION ALL
SELECT 'labels' AS name, COUNT(*) AS n
FROM labels
WHERE
  tenant = @tenant AND `at` >= @since AND `at` < @until
  AND (@whole = 1 OR STRPOS(@jobs, CONCAT('|', job_id, '|')) > 0)
UNION ALL
SELECT 'failures' AS name, COUNT(*) AS n
FROM failures
WHERE
  tenant = @tenant AND `at` >= @since AND `at` < @until
  AND (@whole = 1 OR STRPOS(@jobs, CONCAT('|', job_id, '|')) > 0)
UNION ALL
SELECT 'reviews' AS name, COUNT(*) AS n
FROM reviews
WHERE
  tenant = @tenant AND `at` >= @since AND `at` < @until
  AND (@whole = 1 OR STRPOS(@jobs, CONCAT('|', job_id, '|')) > 0)
UNION ALL
SELECT 'ab_assignments' AS name, COUNT(*) AS n
FROM ab_assignments
WHERE
  tenant = @tenant AND `at` >= @since AND `at` < @until
  AND (@whole = 1 OR STRPOS(@jobs, CONCAT('|', job_id, '|')) > 0)
UNION ALL
SELECT 'ab_trials' AS name, COUNT(*) AS n
FROM ab_trials
WHERE
  tenant = @tenant AND `at` >= @since AND `at` < @until
  AND (@whole = 1 OR STRPOS(@jobs, CONCAT('|', job_id, '|')) > 0)
UNION ALL
SELECT 'ab_pairs' AS name, COUNT(*) AS n
FROM ab_pairs
WHERE
  tenant = @tenant AND `at` >= @since AND `at` < @until
  AND (@whole = 1 OR STRPOS(@jobs, CONCAT('|', job_id, '|')) > 0)
UNION ALL
SELECT 'ab_agreements' AS name, COUNT(*) AS n
FROM ab_agreements
WHERE
  tenant = @tenant AND `at` >= @since AND `at` < @until
  AND (@whole = 1 OR STRPOS(@jobs, CONCAT('|', job_id, '|')) > 0)
UNION ALL
SELECT 'catalogue' AS name, COUNT(*) AS n
FROM catalogue
WHERE
  tenant = @tenant AND `at` >= @since AND `at` < @until
  AND (@whole = 1 OR STRPOS(@objects, CONCAT('|', row_id, '|')) > 0
    OR STRPOS(@jobs, CONCAT('|', job_id, '|')) > 0)
UNION ALL
SELECT 'deletions' AS name, COUNT(*) AS n
FROM deletions
WHERE
  tenant = @tenant AND `at` >= @since AND `at` < @until
  AND (@whole = 1 OR STRPOS(@objects, CONCAT('|', object_id, '|')) > 0)
UNION ALL
SELECT 'notices' AS name, COUNT(*) AS n
FROM notices
WHERE
  tenant = @tenant AND `at` >= @since AND `at` < @until
  AND (@whole = 1)
UNION ALL
SELECT 'batch_entries' AS name, COUNT(*) AS n
FROM batch_entries
WHERE
  tenant = @tenant AND `at` >= @since AND `at` < @until
  AND (@whole = 1 OR STRPOS(@jobs, CONCAT('|', job_id, '|')) > 0)
UNION ALL
SELECT 'deliveries' AS name, COUNT(*) AS n
FROM deliveries
WHERE
  tenant = @tenant AND `at` >= @since AND `at` < @until
  AND (@whole = 1 OR STRPOS(@jobs, CONCAT('|', subject, '|')) > 0)
ORDER BY name

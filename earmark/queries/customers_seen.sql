-- Customers of whom there are rows, to find those who were erased and came back with a backup.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    one customer; empty = all

SELECT tenant
FROM jobs
WHERE tenant <> '' AND `at` >= @since AND `at` < @until AND (@tenant = '' OR tenant = @tenant)
UNION DISTINCT
SELECT tenant
FROM failures
WHERE tenant <> '' AND `at` >= @since AND `at` < @until AND (@tenant = '' OR tenant = @tenant)
UNION DISTINCT
SELECT tenant
FROM reviews
WHERE tenant <> '' AND `at` >= @since AND `at` < @until AND (@tenant = '' OR tenant = @tenant)
UNION DISTINCT
SELECT tenant
FROM ab_trials
WHERE tenant <> '' AND `at` >= @since AND `at` < @until AND (@tenant = '' OR tenant = @tenant)
UNION DISTINCT
SELECT tenant
FROM catalogue
WHERE tenant <> '' AND `at` >= @since AND `at` < @until AND (@tenant = '' OR tenant = @tenant)
UNION DISTINCT
SELECT tenant
FROM deletions
WHERE tenant <> '' AND `at` >= @since AND `at` < @until AND (@tenant = '' OR tenant = @tenant)
UNION DISTINCT
SELECT tenant
FROM notices
WHERE tenant <> '' AND `at` >= @since AND `at` < @until AND (@tenant = '' OR tenant = @tenant)
UNION DISTINCT
SELECT tenant
FROM batch_entries
WHERE tenant <> '' AND `at` >= @since AND `at` < @until AND (@tenant = '' OR tenant = @tenant)
UNION DISTINCT
SELECT tenant
FROM deliveries
WHERE tenant <> '' AND `at` >= @since AND `at` < @until AND (@tenant = '' OR tenant = @tenant)
ORDER BY tenant

-- The first and the last hour in which jobs of an experiment were assigned or ended, in seconds since 1970.
-- @experiment STRING = ''    its name
-- @version INT64 = 1    its version

SELECT
  first_s,
  last_s
FROM (
  SELECT
    MIN(UNIX_SECONDS(first_hour)) AS first_s,
    MAX(UNIX_SECONDS(last_hour)) AS last_s
  FROM (
    SELECT MIN(hour) AS first_hour, MAX(hour) AS last_hour
    FROM ab_cells
    WHERE experiment = @experiment AND version = @version
    UNION ALL
    SELECT MIN(hour) AS first_hour, MAX(hour) AS last_hour
    FROM ab_assigned_hours
    WHERE experiment = @experiment AND version = @version
  ) AS hours
) AS span
WHERE first_s IS NOT NULL

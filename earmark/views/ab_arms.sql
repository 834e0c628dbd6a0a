-- The arms of each version of an experiment, the first 10 in the order of its file, with the buckets they take: from
-- first_bucket to below end_bucket.  Read from the last definition that `ab_experiments` has.

SELECT
  experiment,
  version,
  number,
  arm,
  share,
  CAST(ROUND(10000 * COALESCE(earlier, 0.0)) AS INT64) AS first_bucket,
  CAST(ROUND(10000 * (COALESCE(earlier, 0.0) + share)) AS INT64) AS end_bucket
FROM (
  SELECT
    experiment,
    version,
    number,
    arm,
    share,
    SUM(share) OVER (
      PARTITION BY experiment, version ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS earlier
  FROM (
    SELECT
      experiment,
      version,
      number,
      CASE number
        WHEN 0 THEN JSON_VALUE(definition, '$.arms[0].name')
        WHEN 1 THEN JSON_VALUE(definition, '$.arms[1].name')
        WHEN 2 THEN JSON_VALUE(definition, '$.arms[2].name')
        WHEN 3 THEN JSON_VALUE(definition, '$.arms[3].name')
        WHEN 4 THEN JSON_VALUE(definition, '$.arms[4].name')
        WHEN 5 THEN JSON_VALUE(definition, '$.arms[5].name')
        WHEN 6 THEN JSON_VALUE(definition, '$.arms[6].name')
        WHEN 7 THEN JSON_VALUE(definition, '$.arms[7].name')
        WHEN 8 THEN JSON_VALUE(definition, '$.arms[8].name')
        WHEN 9 THEN JSON_VALUE(definition, '$.arms[9].name')
      END AS arm,
      CAST(
        CASE number
          WHEN 0 THEN JSON_VALUE(definition, '$.arms[0].share')
          WHEN 1 THEN JSON_VALUE(definition, '$.arms[1].share')
          WHEN 2 THEN JSON_VALUE(definition, '$.arms[2].share')
          WHEN 3 THEN JSON_VALUE(definition, '$.arms[3].share')
          WHEN 4 THEN JSON_VALUE(definition, '$.arms[4].share')
          WHEN 5 THEN JSON_VALUE(definition, '$.arms[5].share')
          WHEN 6 THEN JSON_VALUE(definition, '$.arms[6].share')
          WHEN 7 THEN JSON_VALUE(definition, '$.arms[7].share')
          WHEN 8 THEN JSON_VALUE(definition, '$.arms[8].share')
          WHEN 9 THEN JSON_VALUE(definition, '$.arms[9].share')
        END AS FLOAT64
      ) AS share
    FROM (
      SELECT
        experiment,
        version,
        definition,
        ROW_NUMBER() OVER (PARTITION BY experiment, version ORDER BY `at` DESC, row_id DESC) AS place
      FROM ab_experiments
    ) AS definitions
    CROSS JOIN (
      SELECT 0 AS number
      UNION ALL
      SELECT 1 AS number
      UNION ALL
      SELECT 2 AS number
      UNION ALL
      SELECT 3 AS number
      UNION ALL
      SELECT 4 AS number
      UNION ALL
      SELECT 5 AS number
      UNION ALL
      SELECT 6 AS number
      UNION ALL
      SELECT 7 AS number
      UNION ALL
      SELECT 8 AS number
      UNION ALL
      SELECT 9 AS number
    ) AS numbers
    WHERE place = 1
  ) AS named
  WHERE arm IS NOT NULL
) AS ordered

-- How the jobs of an experiment ended, by arm and, where asked, by step of time (its first second since 1970).
-- @experiment STRING = ''    its name
-- @version INT64 = 1    its version
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    first hour, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end, not included
-- @step_s INT64 = 1000000000000    seconds of a step, whole hours; as many as the default make one step of all

SELECT
  step,
  arm,
  SUM(done) AS done,
  SUM(failed) AS failed,
  SUM(rejected) AS rejected,
  SUM(diverted) AS diverted,
  SUM(fallback) AS fallback,
  SUM(low_confidence) AS low_confidence,
  SUM(over_sla) AS over_sla,
  SUM(review) AS review,
  SUM(cold) AS cold
FROM (
  SELECT *, UNIX_SECONDS(hour) - MOD(UNIX_SECONDS(hour), @step_s) AS step
  FROM ab_cells
  WHERE
    experiment = @experiment
    AND version = @version
    AND hour >= @since
    AND hour < @until
) AS hours
GROUP BY step, arm
ORDER BY step, arm

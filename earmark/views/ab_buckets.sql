-- Every assignment with the three buckets (0 to 9999) that its unit falls into, computed anew from the text
-- "experiment:version:salt:unit": the first 60 bits of its SHA-256, modulo 10000.  It is covered where the coverage bucket
-- is below 10000 times the coverage; `ab_arms` says which arm has which buckets; an upload of the control is heard in the shadow
-- too where the shadow bucket is below 10000 times the shadow share.

SELECT
  row_id,
  `at`,
  tenant,
  job_id,
  experiment,
  version,
  unit,
  arm,
  share,
  coverage,
  shadow,
  MOD(
    CAST(CONCAT('0x', SUBSTR(TO_HEX(SHA256(CONCAT(experiment, ':', CAST(version AS STRING), ':coverage:', unit))), 1, 15)) AS INT64),
    10000
  ) AS coverage_bucket,
  MOD(
    CAST(CONCAT('0x', SUBSTR(TO_HEX(SHA256(CONCAT(experiment, ':', CAST(version AS STRING), ':arm:', unit))), 1, 15)) AS INT64),
    10000
  ) AS arm_bucket,
  MOD(
    CAST(CONCAT('0x', SUBSTR(TO_HEX(SHA256(CONCAT(experiment, ':', CAST(version AS STRING), ':shadow:', unit))), 1, 15)) AS INT64),
    10000
  ) AS shadow_bucket
FROM ab_assignments

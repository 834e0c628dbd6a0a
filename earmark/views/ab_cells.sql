-- What the jobs of an experiment came to, by hour, arm, tier, length of the audio and language: the smallest cells that
-- `ab_hours` and `ab_segments` add up.  Shadows are left out; diverted and rejected jobs count only as such.
-- For each metric: how many values (n), their sum and sum of squares, and over the same jobs the seconds of audio, their
-- squares and the products of value and seconds.  Inference counts warm jobs only.  Beyond 1E15 a value counts as that.

SELECT
  experiment,
  version,
  hour,
  arm,
  tier,
  duration,
  language,
  COUNTIF(ended = 'done') AS done,
  COUNTIF(ended = 'failed') AS failed,
  COUNTIF(ended = 'rejected') AS rejected,
  COUNTIF(ended = 'diverted') AS diverted,
  COUNTIF(counts AND fallback) AS fallback,
  COUNTIF(counts AND low_confidence) AS low_confidence,
  COUNTIF(counts AND over_sla) AS over_sla,
  COUNTIF(counts AND review) AS review,
  COUNTIF(counts AND NOT warm) AS cold,
  COUNT(predict_s) AS predict_s_n,
  COALESCE(SUM(predict_s), 0.0) AS predict_s_sum,
  COALESCE(SUM(predict_s * predict_s), 0.0) AS predict_s_squares,
  COALESCE(SUM(CASE WHEN predict_s IS NOT NULL THEN audio_s END), 0.0) AS predict_s_audio,
  COALESCE(SUM(CASE WHEN predict_s IS NOT NULL THEN audio_s * audio_s END), 0.0) AS predict_s_audio_squares,
  COALESCE(SUM(predict_s * audio_s), 0.0) AS predict_s_product,
  COUNT(confidence) AS confidence_n,
  COALESCE(SUM(confidence), 0.0) AS confidence_sum,
  COALESCE(SUM(confidence * confidence), 0.0) AS confidence_squares,
  COALESCE(SUM(CASE WHEN confidence IS NOT NULL THEN audio_s END), 0.0) AS confidence_audio,
  COALESCE(SUM(CASE WHEN confidence IS NOT NULL THEN audio_s * audio_s END), 0.0) AS confidence_audio_squares,
  COALESCE(SUM(confidence * audio_s), 0.0) AS confidence_product,
  COUNT(cost_usd) AS cost_usd_n,
  COALESCE(SUM(cost_usd), 0.0) AS cost_usd_sum,
  COALESCE(SUM(cost_usd * cost_usd), 0.0) AS cost_usd_squares,
  COALESCE(SUM(CASE WHEN cost_usd IS NOT NULL THEN audio_s END), 0.0) AS cost_usd_audio,
  COALESCE(SUM(CASE WHEN cost_usd IS NOT NULL THEN audio_s * audio_s END), 0.0) AS cost_usd_audio_squares,
  COALESCE(SUM(cost_usd * audio_s), 0.0) AS cost_usd_product,
  COUNT(queued_s) AS queued_s_n,
  COALESCE(SUM(queued_s), 0.0) AS queued_s_sum,
  COALESCE(SUM(queued_s * queued_s), 0.0) AS queued_s_squares,
  COALESCE(SUM(CASE WHEN queued_s IS NOT NULL THEN audio_s END), 0.0) AS queued_s_audio,
  COALESCE(SUM(CASE WHEN queued_s IS NOT NULL THEN audio_s * audio_s END), 0.0) AS queued_s_audio_squares,
  COALESCE(SUM(queued_s * audio_s), 0.0) AS queued_s_product,
  COUNT(total_s) AS total_s_n,
  COALESCE(SUM(total_s), 0.0) AS total_s_sum,
  COALESCE(SUM(total_s * total_s), 0.0) AS total_s_squares,
  COALESCE(SUM(CASE WHEN total_s IS NOT NULL THEN audio_s END), 0.0) AS total_s_audio,
  COALESCE(SUM(CASE WHEN total_s IS NOT NULL THEN audio_s * audio_s END), 0.0) AS total_s_audio_squares,
  COALESCE(SUM(total_s * audio_s), 0.0) AS total_s_product,
  COALESCE(SUM(CASE WHEN counts THEN audio_s END), 0.0) AS audio_s_sum
FROM (
  SELECT
    experiment,
    version,
    TIMESTAMP_TRUNC(`at`, HOUR) AS hour,
    arm,
    tier,
    CASE
      WHEN audio_s < 10 THEN '<10 s'
      WHEN audio_s < 30 THEN '10-30 s'
      WHEN audio_s < 60 THEN '30-60 s'
      WHEN audio_s < 300 THEN '1-5 min'
      ELSE '5 min+'
    END AS duration,
    COALESCE(language, 'unknown') AS language,
    CASE WHEN diverted THEN 'diverted' ELSE status END AS ended,
    NOT diverted AND status <> 'rejected' AS counts,
    fallback,
    low_confidence,
    over_sla,
    review,
    warm,
    CASE WHEN diverted OR status = 'rejected' OR NOT warm THEN NULL ELSE LEAST(GREATEST(predict_s, -1E15), 1E15) END AS predict_s,
    CASE WHEN diverted OR status = 'rejected' THEN NULL ELSE LEAST(GREATEST(confidence, -1E15), 1E15) END AS confidence,
    CASE WHEN diverted OR status = 'rejected' THEN NULL ELSE LEAST(GREATEST(cost_usd, -1E15), 1E15) END AS cost_usd,
    CASE WHEN diverted OR status = 'rejected' THEN NULL ELSE LEAST(GREATEST(queued_s, -1E15), 1E15) END AS queued_s,
    CASE WHEN diverted OR status = 'rejected' THEN NULL ELSE LEAST(GREATEST(total_s, -1E15), 1E15) END AS total_s,
    LEAST(GREATEST(audio_s, -1E15), 1E15) AS audio_s
  FROM ab_trials
  WHERE NOT shadow
) AS trials
GROUP BY experiment, version, hour, arm, tier, duration, language

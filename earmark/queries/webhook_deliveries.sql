-- Calls of a customer's webhook, the latest first.
-- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included
-- @until TIMESTAMP = 9999-01-01T00:00:00Z    end of the window, not included
-- @tenant STRING = ''    the customer
-- @endpoint STRING = ''    id of the webhook; empty = all of the customer's
-- @event STRING = ''    id of one event; empty = all
-- @below STRING = ''    only rows whose id sorts before this one; empty = all
-- @most INT64 = 100    no more than so many

SELECT
  row_id,
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', `at`) AS at_second,
  endpoint,
  event,
  event_type,
  subject,
  attempt,
  status,
  outcome,
  detail,
  took_s
FROM deliveries
WHERE
  `at` >= @since
  AND `at` < @until
  AND tenant = @tenant
  AND (@endpoint = '' OR endpoint = @endpoint)
  AND (@event = '' OR event = @event)
  AND (@below = '' OR row_id < @below)
ORDER BY row_id DESC
LIMIT @most

"""The table of the local queue, and every statement that touches it."""

from typing import Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS jobs (
    number  INTEGER PRIMARY KEY,
    queue   TEXT NOT NULL,
    id      TEXT NOT NULL,
    due_us  INTEGER NOT NULL,               -- microseconds since 1970: may be leased from then on
    tries   INTEGER NOT NULL DEFAULT 0,     -- leases given so far, less those given back
    token   TEXT,                           -- of the last lease; NULL = waiting
    holder  TEXT,                           -- the worker that has or had the last lease
    history TEXT NOT NULL DEFAULT '[]',     -- JSON list of failures, oldest first
    body    BLOB NOT NULL,                  -- the job in wire format
    UNIQUE (queue, id)
) STRICT
"""
INDEX: Final = "CREATE INDEX IF NOT EXISTS jobs_due ON jobs (queue, due_us, number)"

PUT: Final = (
    "INSERT INTO jobs (queue, id, due_us, body) SELECT :queue, :id, :due_us, :body"
    " WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE queue = :other AND id = :id) ON CONFLICT (queue, id) DO NOTHING"
)
WAITING_BODY: Final = "SELECT body FROM jobs WHERE queue = :other AND id = :id AND token IS NULL"
PROMOTE: Final = (
    "UPDATE OR IGNORE jobs SET queue = :queue, due_us = min(due_us, :due_us), body = :body"
    " WHERE queue = :other AND id = :id AND token IS NULL"
)
HOLDERS: Final = "SELECT DISTINCT holder FROM jobs WHERE queue = ? AND due_us > ? AND token IS NOT NULL"
ORPHAN: Final = "UPDATE jobs SET due_us = ? WHERE queue = ? AND holder = ? AND token IS NOT NULL AND due_us > ?"
SPAN: Final = "SELECT coalesce(max(number) - min(number) + 1, 0) FROM jobs"
COUNT: Final = "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE queue = ? LIMIT ?)"
ANY_DUE: Final = "SELECT 1 FROM jobs WHERE queue = ? AND due_us <= ? LIMIT 1"
DUE: Final = (
    "SELECT number, tries, token, holder, history, body FROM jobs"
    " WHERE queue = ? AND due_us <= ? ORDER BY due_us, number LIMIT ?"
)
LEASE: Final = "UPDATE jobs SET due_us = ?, tries = ?, token = ?, holder = ?, history = ? WHERE number = ?"
SET_ASIDE: Final = "UPDATE jobs SET queue = ?, id = id || ':' || number, token = NULL WHERE number = ?"
EXTEND: Final = "UPDATE jobs SET due_us = ? WHERE queue = ? AND id = ? AND token = ?"
ACK: Final = "DELETE FROM jobs WHERE queue = ? AND id = ? AND token = ?"
GIVE_BACK: Final = (
    "UPDATE jobs SET due_us = ?, token = NULL, tries = max(tries - 1, 0) WHERE queue = ? AND id = ? AND token = ?"
)
RETRY: Final = (
    "UPDATE jobs SET due_us = ?, token = NULL, history = json_insert(history, '$[#]', json(?))"
    " WHERE queue = ? AND id = ? AND token = ?"
)
FIND: Final = "SELECT number FROM jobs WHERE queue = ? AND id = ? AND token = ?"
REPLACE_DEAD: Final = "DELETE FROM jobs WHERE queue = ? AND id = ? AND number <> ?"
BURY: Final = (
    "UPDATE jobs SET queue = ?, due_us = ?, tries = 0, token = NULL,"
    " history = json_insert(history, '$[#]', json(?)) WHERE number = ?"
)
BURY_AS_IS: Final = BURY.replace("json_insert(history, '$[#]', json(?))", "iif(? IS NULL, '', history)")
"""The same with a failure that the history ends with already."""
MEAN_SIZE: Final = (
    "SELECT avg(json_extract(CAST(body AS TEXT), '$.upload.size_bytes')) FROM ("
    " SELECT * FROM (SELECT body FROM jobs WHERE queue = ? AND due_us <= ? ORDER BY due_us, number LIMIT ?)"
    " UNION ALL"
    " SELECT * FROM (SELECT body FROM jobs WHERE queue = ? AND due_us <= ? ORDER BY due_us DESC, number DESC LIMIT ?))"
    " WHERE json_valid(CAST(body AS TEXT))"
)
"""Of the jobs due first and of those due last: a sample that costs the same however many wait."""
WAITING: Final = "SELECT count(*), min(due_us) FROM jobs WHERE queue = ? AND due_us <= ?"
LATER: Final = "SELECT count(*), count(token) FROM jobs WHERE queue = ? AND due_us > ?"

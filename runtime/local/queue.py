"""``LocalQueue``: a durable queue in a SQLite file that any number of processes share.

A job is one row.  ``due_us`` alone says when it may be given out: the time it was put, the end of its delay,
or the end of its lease; so an expired lease needs nobody to find it.

::

                 put                    ack
      (nothing) ─────► waiting ─lease─► leased ─────► (nothing)
                          ▲   token set   │ │
                          └───release─────┘ └──bury──► waiting in the queue "dead"
                          └──lease ran out┘

High, low and dead are rows of one table, which makes ``bury`` one transaction.  A lease is lost once its job
was given to somebody else or is gone; a holder who is late but still the last may finish.
"""

import logging
import secrets
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from earmark.clock import utc_now
from earmark.domain import Failure, Job, Lease
from earmark.errors import InputRejected, Unavailable
from earmark.log import event
from earmark.lost import worker_lost
from earmark.ports import Clock
from earmark.vocabulary import Lane
from earmark.wire import decode_job, encode_job
from runtime.backend import QueueDepth
from runtime.local import queue_statements as sql
from runtime.local.database import WAIT_S, Database, Synchronous

_log = logging.getLogger(__name__)

DEAD: Final = "dead"
"""The queue that ``bury`` moves jobs to."""
LANES: Final = {Lane.HIGH.value: Lane.LOW.value, Lane.LOW.value: Lane.HIGH.value}
"""Each lane's other one."""
MALFORMED: Final = "malformed"
"""Rows whose body is no job are set aside under this name, bytes untouched, so that they stop nobody."""
MAX_DEPTH: Final = 1_000_000
"""Jobs a queue holds before it refuses more."""
SAMPLE: Final = 200
"""Jobs at each end of a queue whose sizes are looked at."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HISTORY: Final[TypeAdapter[tuple[Failure, ...]]] = TypeAdapter(tuple[Failure, ...])
_NO_HISTORY: Final = "[]"


class _Row(NamedTuple):
    number: int
    tries: int
    token: str | None
    holder: str | None
    history: str
    body: bytes


class LocalQueue:
    """One named queue in the file; see ``earmark.ports.Queue`` for what it promises.

    Every call is one transaction, hence one sync of the disk, however many jobs it is about.
    """

    def __init__(
        self,
        database: Path,
        name: str,
        *,
        clock: Clock = utc_now,
        worker: str = "",
        synchronous: Synchronous = "FULL",
        is_dead: Callable[[str], bool] = lambda _: False,
        max_depth: int = MAX_DEPTH,
        wait_s: float = WAIT_S,
        late: bool = False,
    ) -> None:
        """Open the queue ``name`` in a file that is made if need be.

        Args:
            database: The file that holds all queues.
            name: ``high``, ``low`` or ``dead``.
            clock: Gives the present.
            worker: Who leases; named in the ``worker_lost`` failure should its lease run out.
            is_dead: Whether the worker of that name is certainly gone, so that its leases need not run out.
            synchronous: FULL: what was acknowledged survives a power cut; NORMAL: the death of any process.
            max_depth: Jobs beyond which ``put`` raises ``Unavailable``.
            wait_s: Seconds to wait for other writers before a call raises ``Unavailable``.
            late: Whether the file is opened at the first call and not now.
        """
        self.name = name
        self._clock = clock
        self._worker = worker
        self._is_dead = is_dead
        self._max_depth = max_depth
        self._was_busy = False
        """Whether the last look found something: then the next one goes straight for the write lock."""
        self._database = Database(database, _prepare, synchronous=synchronous, wait_s=wait_s, late=late)

    def put(self, jobs: Sequence[Job]) -> int:
        """Add jobs; raises ``Unavailable`` and adds none when the queue would hold more than ``max_depth``.

        The two lanes know of each other: a job that is in the other lane is not added again, and one that waits
        in low and is put in high moves up, and stays in the arm that it was stamped with.
        """
        if not jobs:
            return 0
        due_us = self._now_us()
        other = LANES.get(self.name)
        rows = [
            {"queue": self.name, "other": other, "id": job.id, "due_us": due_us, "body": encode_job(job)}
            for job in jobs
        ]

        def work(connection: sqlite3.Connection) -> int:
            if self.name == Lane.HIGH:
                for job, row in zip(jobs, rows, strict=True):
                    waiting = connection.execute(sql.WAITING_BODY, row).fetchone()
                    if waiting is not None:
                        connection.execute(sql.PROMOTE, {**row, "body": _moved(job, waiting[0])})
            added = connection.executemany(sql.PUT, rows).rowcount
            if added and self._overfull(connection):
                message = f"The queue {self.name} is full: it holds {self._max_depth} jobs"
                raise Unavailable(message)
            return added

        return self._database.write(work)

    def lease(self, limit: int, lease_s: float) -> list[Lease]:
        """Take up to ``limit`` due jobs; a look at an empty queue waits for no writer.

        Where nothing is due, the jobs of a worker that is known to be dead are, without waiting for their leases.
        """
        now = self._clock()
        expires_at = now + timedelta(seconds=lease_s)
        leases: list[Lease] = []
        while (wanted := limit - len(leases)) > 0:
            rows = self._take(wanted, now, _microseconds(expires_at))
            leases += self._leases(rows, expires_at)
            if len(rows) < wanted:
                break
        return leases

    def extend(self, leases: Sequence[Lease], lease_s: float) -> list[Lease]:
        """Move the expiry of each lease that is not lost."""
        due_us = self._now_us(lease_s)
        return self._lost(leases, lambda c, lease: c.execute(sql.EXTEND, (due_us, *self._key(lease))).rowcount)

    def ack(self, leases: Sequence[Lease]) -> list[Lease]:
        """Delete the jobs of the leases that are not lost."""
        return self._lost(leases, lambda c, lease: c.execute(sql.ACK, self._key(lease)).rowcount)

    def release(self, lease: Lease, *, after_s: float = 0.0, failure: Failure | None = None) -> bool:
        """Let the job wait again, from ``after_s`` seconds on."""
        due_us = self._now_us(after_s)

        def work(connection: sqlite3.Connection, lease: Lease) -> int:
            if failure is None:
                return connection.execute(sql.GIVE_BACK, (due_us, *self._key(lease))).rowcount
            return connection.execute(sql.RETRY, (due_us, failure.model_dump_json(), *self._key(lease))).rowcount

        return not self._lost([lease], work)

    def bury(self, lease: Lease, failure: Failure) -> bool:
        """Move the job to ``dead``, in place of an earlier burial of the same job, and count its tries anew."""
        due_us = self._now_us()

        def work(connection: sqlite3.Connection, lease: Lease) -> int:
            found = connection.execute(sql.FIND, self._key(lease)).fetchone()
            if found is None:
                return 0
            connection.execute(sql.REPLACE_DEAD, (DEAD, lease.job.id, *found))
            # A job that is found with its tries spent is buried with its last failure, which its history has already.
            statement = sql.BURY_AS_IS if lease.history[-1:] == (failure,) else sql.BURY
            return connection.execute(statement, (DEAD, due_us, failure.model_dump_json(), *found)).rowcount

        return not self._lost([lease], work)

    def depth(self) -> QueueDepth:
        """How full the queue is, for metrics.

        Raises:
            Unavailable: the queue cannot be reached.
        """
        now_us = self._now_us()

        def work(connection: sqlite3.Connection) -> QueueDepth:
            waiting, oldest_us = connection.execute(sql.WAITING, (self.name, now_us)).fetchone()
            later, leased = connection.execute(sql.LATER, (self.name, now_us)).fetchone()
            age_s = 0.0 if oldest_us is None else (now_us - oldest_us) / 1e6
            return QueueDepth(waiting=waiting, delayed=later - leased, leased=leased, oldest_age_s=age_s)

        return self._database.read(work)

    def mean_size_bytes(self) -> float | None:
        """Size of the audio of a waiting job: the mean over some of the oldest and some of the newest; None = no job.

        Raises:
            Unavailable: the queue cannot be reached.
        """
        values = (self.name, self._now_us(), SAMPLE) * 2
        mean = self._database.read(lambda connection: connection.execute(sql.MEAN_SIZE, values).fetchone())[0]
        return None if mean is None else float(mean)

    def close(self) -> None:
        """Close the file; later calls raise ``Unavailable``."""
        self._database.close()

    def _take(self, limit: int, now: datetime, expires_us: int) -> list[_Row]:
        """Mark due rows as leased to this worker, as many as there are up to ``limit``; gives them as marked."""
        now_us = _microseconds(now)
        if not self._was_busy and not self._any_due(now_us) and not self._orphan(now_us):
            return []

        def work(connection: sqlite3.Connection) -> list[_Row]:
            found = [_Row(*row) for row in connection.execute(sql.DUE, (self.name, now_us, limit))]
            rows = [self._marked(row, now) for row in found]
            connection.executemany(
                sql.LEASE, [(expires_us, row.tries, row.token, self._worker, row.history, row.number) for row in rows]
            )
            return rows

        rows = self._database.write(work)
        self._was_busy = bool(rows)
        return rows

    def _any_due(self, now_us: int) -> bool:
        row = self._database.read(lambda connection: connection.execute(sql.ANY_DUE, (self.name, now_us)).fetchone())
        return row is not None

    def _orphan(self, now_us: int) -> bool:
        """Let the leases of dead workers run out now; whether there were any."""
        rows = self._database.read(lambda connection: connection.execute(sql.HOLDERS, (self.name, now_us)).fetchall())
        dead = [holder for (holder,) in rows if holder and self._is_dead(holder)]
        if not dead:
            return False
        event(_log, "worker.found_dead", level=logging.WARNING, queue=self.name, workers=", ".join(dead))
        orphans = [(now_us, self.name, holder, now_us) for holder in dead]
        self._database.write(lambda connection: connection.executemany(sql.ORPHAN, orphans))
        return True

    def _marked(self, row: _Row, now: datetime) -> _Row:
        """The row with one try more, a token of its own, and a failure if its last lease ran out."""
        history = row.history
        if row.token is not None:
            history = _HISTORY.dump_json(
                (*self._history(row), worker_lost(max(row.tries, 1), worker=row.holder or "", at=now))
            ).decode()
        return row._replace(tries=row.tries + 1, token=secrets.token_hex(16), history=history)

    def _leases(self, rows: Sequence[_Row], expires_at: datetime) -> list[Lease]:
        """The rows as leases, read after the transaction to keep it short; those that hold no job are set aside."""
        leases: list[Lease] = []
        malformed: list[tuple[str, int]] = []
        for row in rows:
            try:
                job = decode_job(row.body)
            except InputRejected as error:
                malformed.append((MALFORMED, row.number))
                event(_log, "job.malformed", level=logging.ERROR, queue=self.name, row=row.number, error=str(error))
            else:
                leases.append(Lease(job, row.token or "", row.tries, expires_at, self._history(row)))
        if malformed:
            self._database.write(lambda connection: connection.executemany(sql.SET_ASIDE, malformed))
        return leases

    def _history(self, row: _Row) -> tuple[Failure, ...]:
        if row.history == _NO_HISTORY:
            return ()
        try:
            return _HISTORY.validate_json(row.history)
        except ValidationError as error:
            event(_log, "job.history_malformed", level=logging.ERROR, queue=self.name, row=row.number, error=str(error))
            return ()

    def _lost(self, leases: Sequence[Lease], change: Callable[[sqlite3.Connection, Lease], int]) -> list[Lease]:
        """Apply a change to the row of each lease, all in one transaction; gives the leases that have no row."""
        if not leases:
            return []
        return self._database.write(lambda connection: [lease for lease in leases if not change(connection, lease)])

    def _overfull(self, connection: sqlite3.Connection) -> bool:
        # Row numbers are handed out in order, so their span bounds the count and is found without counting.
        if connection.execute(sql.SPAN).fetchone()[0] <= self._max_depth:
            return False
        held: int = connection.execute(sql.COUNT, (self.name, self._max_depth + 1)).fetchone()[0]
        return held > self._max_depth

    def _key(self, lease: Lease) -> tuple[str, str, str]:
        return self.name, lease.job.id, lease.token

    def _now_us(self, later_s: float = 0.0) -> int:
        return _microseconds(self._clock() + timedelta(seconds=later_s))


def _prepare(database: Database) -> None:
    """Make the table where it is missing; a file that has it is only read."""
    ready = "SELECT 1 FROM sqlite_schema WHERE name = 'jobs_due'"
    if database.read(lambda connection: connection.execute(ready).fetchone()):
        return

    def create(connection: sqlite3.Connection) -> None:
        connection.execute(sql.SCHEMA)
        connection.execute(sql.INDEX)

    database.write(create)


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _moved(job: Job, waiting: bytes) -> bytes:
    """A job that moves up, in its place in an experiment or outside of one as it waited."""
    try:
        before = decode_job(waiting)
    except InputRejected:  # what waited is no job; what comes is
        return encode_job(job)
    return encode_job(job.model_copy(update={"arm": before.arm, "exposure": before.exposure}))

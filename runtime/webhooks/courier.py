"""``Courier``: makes the calls that are due, each endpoint's beside the others', and has failed ones made again later.

An endpoint gets four calls at the same time, and one at a time once its last call failed, so that no number of calls
that hang takes all threads.  Calls are repeated as the Standard Webhooks specification advises, over three days.
"""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from earmark.errors import EarmarkError, Unavailable
from earmark.log import event as log_event
from earmark.ports import Clock
from runtime.webhooks.delivering import DISABLED, GIVEN_UP, RETRYING, Delivering
from runtime.webhooks.endpoints import Endpoints
from runtime.webhooks.outbox import Box, Held, Outbox
from workers.daemon_threads import DaemonThreads
from workers.outage import Outage

_log = logging.getLogger(__name__)
DELAYS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
"""After each failed call; after one more it is given up."""
OLDEST: Final = timedelta(days=5)
"""Age from which a call that waits behind others is given up unmade."""
THREADS: Final = 32
AT_ONCE: Final = 4
AHEAD: Final = 64
"""Calls of one endpoint that are looked up at once."""
POLL_S: Final = 0.25
END_S: Final = 35.0
"""Seconds that calls under way may take when the courier ends; longer than any takes."""
_JITTER: Final = 0.2


def jittered(delay: timedelta) -> timedelta:
    """Longer by up to a fifth, so that what failed together does not come back together."""
    return delay * random.uniform(1.0, 1.0 + _JITTER)  # noqa: S311  # jitter, no secret


class Courier:
    """Makes calls in threads of its own."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        endpoints: Endpoints,
        delivering: Delivering,
        clock: Clock,
        jitter: Callable[[timedelta], timedelta] = jittered,
        threads: int = THREADS,
        poll_s: float = POLL_S,
    ) -> None:
        """Take the calls that wait, whom they are about, and what makes them; no thread is started yet."""
        self._outbox, self._endpoints, self._delivering = outbox, endpoints, delivering
        self._clock, self._jitter, self._most, self._poll_s = clock, jitter, threads, poll_s
        self._pool = DaemonThreads(threads, "webhooks")
        self._outage = Outage("webhooks", pause_s=1.0)
        self._changed = threading.Condition()
        self._closed = False
        self._flying: dict[Box, set[str]] = {}
        self._ahead: dict[Box, deque[str]] = {}
        """Calls that are due, for threads that have made one of the same endpoint."""
        self._ailing: set[Box] = set()
        """Endpoints whose last call failed."""
        self._others: dict[str, datetime] = {}
        """Calls that somebody else makes, and until when they are theirs."""

    def run(self, stop: threading.Event) -> None:
        """Make calls until told to stop, and see those under way to their end."""
        while not stop.is_set():
            if not self._outage.resting:
                self._step()
            stop.wait(self._poll_s * random.uniform(0.5, 1.5))  # noqa: S311  # jitter, no secret
        self.close()

    def run_once(self) -> int:
        """Begin the calls that are due, as far as there are threads; returns how many were begun.

        Raises:
            Unavailable: the store cannot be reached.
        """
        now, begun = self._clock(), 0
        with self._changed:
            self._others = {name: until for name, until in self._others.items() if until > now}
        for box in self._outbox.boxes(now):
            names = list(islice(self._outbox.due(box, now), AHEAD)) if self._free(box) > 0 else []
            for name in self._take_off(box, names):
                self._pool.submit(self._fly, box, name)
                begun += 1
        return begun

    def landed(self, timeout_s: float) -> bool:
        """Wait until no call is under way; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._flying, timeout_s)

    def close(self) -> None:
        """Begin no more calls, and give those under way time to end."""
        with self._changed:
            self._ahead.clear()
            self._closed = True
        self._pool.close(wait_s=END_S)

    def _step(self) -> None:
        try:
            self.run_once()
            self._outage.over()
        except Unavailable as error:
            self._outage.failed(error)
        except EarmarkError as error:
            log_event(_log, "webhooks.failed", level=logging.ERROR, error=str(error))

    def _free(self, box: Box) -> int:
        """How many more calls of an endpoint may begin."""
        with self._changed:
            own = len(self._flying.get(box, ()))
            total = sum(map(len, self._flying.values()))
            return min((1 if box in self._ailing else AT_ONCE) - own, self._most - total)

    def _take_off(self, box: Box, names: Sequence[str]) -> list[str]:
        """The calls that begin now; the rest is left to whoever of them ends first."""
        with self._changed:
            free, flying = self._free(box), self._flying.get(box, set())
            ahead = deque(each for each in names if each not in flying and each not in self._others)
            first = [ahead.popleft() for _ in range(min(free, len(ahead)))]
            if first:
                self._flying[box] = {*flying, *first}
                self._ahead[box] = ahead
            return first

    def _fly(self, box: Box, name: str | None) -> None:
        while name is not None:
            ailing = True
            try:
                ailing = self._call(box, name)
            except Unavailable as error:  # what was claimed comes again when its claim ends
                log_event(_log, "webhook.postponed", level=logging.WARNING, endpoint=box.endpoint, error=str(error))
            except Exception:  # noqa: BLE001  # one call must not end the others
                _log.exception("webhook.broken")
            name = self._land(box, name, ailing=ailing)

    def _land(self, box: Box, name: str, *, ailing: bool) -> str | None:
        """Note that a call has ended; gives the next one for the same thread."""
        with self._changed:
            (self._ailing.add if ailing else self._ailing.discard)(box)
            flying, ahead = self._flying[box], self._ahead.get(box)
            flying.discard(name)
            following = ahead.popleft() if ahead and not ailing and not self._closed else None
            if following is not None:
                flying.add(following)
            if not flying:
                del self._flying[box]
                self._ahead.pop(box, None)
            self._changed.notify_all()
            return following

    def _claim(self, name: str) -> Held | None:
        """A call that is ours now; ``None`` = it was made, or somebody else makes it."""
        held, now = self._outbox.read(name), self._clock()
        if held is None:
            return None
        until = held.waiting.claimed_until
        if until is not None and until > now:
            with self._changed:
                self._others[name] = until
            return None
        tries = held.waiting.tries
        again_at = now + self._jitter(DELAYS[tries]) if tries < len(DELAYS) else None
        return self._outbox.claim(held, now, again_at)

    def _call(self, box: Box, name: str) -> bool:
        """Make one call; whether it failed."""
        claimed = self._claim(name)
        if claimed is None:
            return box in self._ailing
        endpoint = self._endpoints.find(box.tenant, box.endpoint)
        waiting = claimed.waiting
        if endpoint is None:  # its customer wants it no more
            self._outbox.made(claimed)
            return False
        why = "" if endpoint.enabled else f"it is not called any more: {endpoint.disabled_why}"
        if why or self._clock() - waiting.since > OLDEST:
            outcome, why = (DISABLED, why) if why else (GIVEN_UP, "it could not be called in time")
            self._delivering.give_up(endpoint, waiting.event, waiting.attempt, outcome, why)
            self._outbox.made(claimed)
            return False
        row = self._delivering.deliver(endpoint, waiting.event, waiting.attempt, last=waiting.again_at is None)
        if row.outcome == RETRYING:
            self._outbox.failed(claimed)
            return True
        self._outbox.made(claimed)
        return row.outcome in {GIVEN_UP, DISABLED}

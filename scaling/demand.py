"""``Demand``: the load of one lane, estimated from what is seen of its queue and its rows.

Load is counted in workers: seconds of a worker that arrive each second (erlangs).  Arrivals are not read off anywhere;
they are what ended and what the queue grew by, for what ends says nothing while workers are too few.  What is in hand
is taken for as long as others were.  Where it is longer, audio seems to vanish when work on it begins and to arrive
when it ends; so what vanished is owed by what arrives later, and where no job came no audio did.
"""

import math
from dataclasses import dataclass
from typing import Final

from scaling.policy import LanePolicy
from scaling.seen import Seen, Settled
from scaling.smoothing import Smoothed

MEMORY_S: Final = 3600.0
"""Seconds after which what a job took counts for 1/e of what one takes now."""
PRIOR_JOBS: Final = 5.0
"""Jobs that the policy's figures count for."""
SPAN_LEAST_S: Final = 0.1
"""Two looks closer than this tell no rate."""
JOB_MOST_S: Final = 1e6
RATE_MOST: Final = 1e4
"""What cannot be true of a job is cut to what can, so that one broken row does not spoil all sums."""
SLOW: Final = 4.0
"""The slower of two averages looks back so many times as far; their difference tells how arrivals rise."""


@dataclass(slots=True)
class _Sums:
    """Of jobs that ended, older ones counting for less."""

    jobs: float
    audio_s: float
    heard_audio_s: float
    busy_s: float

    def add(self, settled: Settled) -> None:
        keep = math.exp(-settled.span_s / MEMORY_S)
        self.jobs = self.jobs * keep + settled.jobs
        self.audio_s = self.audio_s * keep + settled.audio_s
        self.heard_audio_s = self.heard_audio_s * keep + settled.heard_audio_s
        self.busy_s = self.busy_s * keep + settled.busy_s


class Demand:
    """What comes in, what waits, and what a job takes; of one lane."""

    def __init__(self, lane: LanePolicy) -> None:
        """Take the lane's policy, whose figures hold until jobs have ended."""
        self._lane = lane
        audio_s = PRIOR_JOBS * lane.audio_s
        self._sums = _Sums(PRIOR_JOBS, audio_s, audio_s, audio_s * lane.service_s_per_audio_s)
        self._fast, self._slow = Smoothed(lane.rate_s), Smoothed(SLOW * lane.rate_s)
        self._jobs_per_s, self._jobs_slow = Smoothed(lane.rate_s), Smoothed(SLOW * lane.rate_s)
        self._owed_audio_s = 0.0
        """Audio that vanished when work on it began, and that is to be left out once it ends."""
        self._before: tuple[float, float] | None = None
        """Jobs and seconds of audio that were there at the last look at the rows."""
        self._waiting: float | None = None
        self._waiting_audio_s: float | None = None
        self.measured = False
        """Whether any job has ended."""

    def take(self, seen: Seen) -> None:
        """Take in what was seen now; what was not seen leaves things as they were."""
        self._look_at_queue(seen)
        if seen.settled is not None:
            self._take_settled(seen.settled, seen)

    @property
    def job_audio_s(self) -> float:
        """Seconds of audio of a job that ended lately, on average."""
        jobs = self._sums.jobs
        return min(self._sums.audio_s / jobs, JOB_MOST_S) if jobs > 0 else self._lane.audio_s

    @property
    def service_s_per_audio_s(self) -> float:
        """Seconds of a worker for a second of audio."""
        heard = self._sums.heard_audio_s
        return min(self._sums.busy_s / heard, RATE_MOST) if heard > 0 else self._lane.service_s_per_audio_s

    @property
    def service_s(self) -> float:
        """Seconds of a worker for a job, on average."""
        return self.job_audio_s * self.service_s_per_audio_s

    @property
    def waiting(self) -> float | None:
        """Jobs that wait, as last seen; ``None`` = nobody ever saw."""
        return self._waiting

    @property
    def waiting_audio_s(self) -> float | None:
        """Seconds of audio that wait, as last seen or as many as so many jobs have on average."""
        if self._waiting_audio_s is not None or self._waiting is None:
            return self._waiting_audio_s
        return self._waiting * self.job_audio_s

    @property
    def backlog_s(self) -> float | None:
        """Seconds of a worker that wait."""
        audio_s = self.waiting_audio_s
        return None if audio_s is None else audio_s * self.service_s_per_audio_s

    @property
    def arrivals_per_s(self) -> float | None:
        """Jobs a second."""
        return self._jobs_per_s.value

    def arrivals_in(self, ahead_s: float) -> float:
        """Jobs that come in the next seconds, if as many do as did over a longer while; 0 where nobody has seen any."""
        return (self._jobs_slow.value or 0.0) * ahead_s

    def load_in(self, ahead_s: float) -> float | None:
        """The load so many seconds from now, if a rise goes on; a fall is not taken to go on.

        An average that looks back by t seconds lags behind a steady rise by t seconds of it, so two of them tell how
        steep it is (double exponential smoothing).  At most twice the load of now.
        """
        fast, slow = self._fast.value, self._slow.value
        if fast is None or slow is None:
            return None
        apart_s = self._slow.lag_s - self._fast.lag_s
        rise = max(0.0, fast - slow) / apart_s if apart_s > self._lane.rate_s / SLOW else 0.0
        return min(fast + rise * (self._fast.lag_s + ahead_s), 2 * fast) * self.service_s_per_audio_s

    def _look_at_queue(self, seen: Seen) -> None:
        if seen.waiting is not None:
            self._waiting, self._waiting_audio_s = float(seen.waiting), seen.waiting_audio_s
        elif seen.settled is not None and seen.settled.jobs and seen.settled.span_s >= SPAN_LEAST_S:
            # Little's law, of the queue alone: as many wait as end in the time that each of them waited.
            ended = seen.settled
            self._waiting, self._waiting_audio_s = ended.queued_s / ended.span_s, None

    def _take_settled(self, settled: Settled, seen: Seen) -> None:
        self._sums.add(settled)
        self.measured = self.measured or settled.jobs > 0
        there = None
        if seen.waiting is not None:
            in_hand = seen.in_hand or 0
            there = seen.waiting + in_hand, (self.waiting_audio_s or 0.0) + in_hand * self.job_audio_s
        # Where no queue is seen and nothing ended, nobody knows whether anything arrives.
        if settled.span_s >= SPAN_LEAST_S and (there or settled.jobs):
            grown = (there[0] - self._before[0], there[1] - self._before[1]) if there and self._before else (0.0, 0.0)
            jobs = max(0.0, settled.jobs + grown[0])
            audio_s = self._came(settled, grown[1], jobs, there)
            self._jobs_per_s.add(jobs / settled.span_s, settled.span_s)
            self._jobs_slow.add(jobs / settled.span_s, settled.span_s)
            self._fast.add(audio_s / settled.span_s, settled.span_s)
            self._slow.add(audio_s / settled.span_s, settled.span_s)
        self._before = there

    def _came(self, settled: Settled, grown_s: float, jobs: float, there: tuple[float, float] | None) -> float:
        """Seconds of audio that came, with so many jobs; less what is owed, which is forgotten as old rates are."""
        owed_s = self._owed_audio_s * math.exp(-settled.span_s / (SLOW * self._lane.rate_s))
        came_s = settled.audio_s + grown_s - owed_s
        self._owed_audio_s = max(0.0, -came_s) if there and there[0] > 0 else 0.0
        return max(0.0, came_s) if jobs > 0 else 0.0

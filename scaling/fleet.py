"""``Fleet``: the simulated workers of one lane and the jobs they serve, first come first served, one at a time each."""

import math
import operator
from bisect import bisect_right
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final

from scaling.failover import HELP_SHARE
from scaling.machines import Machines
from scaling.policy import LanePolicy
from scaling.seen import Seen, Settled
from scaling.tally import Tally
from scaling.trace import Arrivals

NEVER: Final = float("inf")
HOUR_S: Final = 3600.0


@dataclass(slots=True)
class _Worker:
    asked_s: float
    region: int
    job: int | None = None
    """Place of its job in the trace; once it is free again, of the last one it had."""


@dataclass(slots=True)
class _Sums:
    """Over all jobs that were begun and not taken back."""

    jobs: int = 0
    audio_s: float = 0.0
    heard_audio_s: float = 0.0
    queued_s: float = 0.0


class Fleet:
    """Time passes in ``serve``; between two calls the number of workers is what it is."""

    def __init__(self, name: str, lane: LanePolicy, arrivals: Arrivals, machines: Machines, rate: float) -> None:
        """Take the lane and its policy, its arrivals, and the seconds of a worker for a second of audio."""
        self._name, self._lane, self._machines, self._rate = name, lane, machines, rate
        self._at_s, self._audio_s = arrivals.at_s, arrivals.audio_s
        self.tally = Tally(lane.target_s, len(arrivals))
        self.lost = 0
        """Workers that were taken away from outside."""
        self.fallback_jobs = 0
        self.fallback_usd = 0.0
        self._free: list[tuple[float, int]] = []
        """A heap: when each worker is free, and its number; one that starts is free once it is there."""
        self._workers: dict[int, _Worker] = {}
        self._made = 0
        self._stays: list[tuple[float, float]] = []
        """Of machines that have gone: when each was asked for, and when it was gone."""
        self._deaths: list[tuple[float, int]] = []
        self._leaving: list[tuple[float, int]] = []
        """When machines that were let go have gone, and their region."""
        self._head = 0
        """Place of the first job that nobody had yet."""
        self._returned: list[tuple[float, int]] = []
        """Jobs that come again: when, and their place."""
        self._arrived, self._arrived_audio_s = 0, 0.0
        self._begun, self._told, self._told_s = _Sums(), _Sums(), 0.0

    @property
    def size(self) -> int:
        """Workers that are there or start."""
        return len(self._workers)

    @property
    def next_loss_s(self) -> float:
        """When the next machine is taken away."""
        while self._deaths and self._deaths[0][1] not in self._workers:
            heappop(self._deaths)
        return self._deaths[0][0] if self._deaths else NEVER

    @property
    def next_job_s(self) -> float:
        """When the next job that nobody has begun comes or came; infinite where there is none."""
        first = self._at_s[self._head] if self._head < len(self._at_s) else NEVER
        return min(first, self._returned[0][0]) if self._returned else first

    def busy(self, now_s: float) -> bool:
        """Whether a worker has a job in hand."""
        return bool(self._in_hand(now_s))

    def serve(self, until_s: float) -> None:
        """Let workers begin all jobs that begin before a moment."""
        while self._returned and self._begin_any(until_s):
            pass
        if self._returned:
            return
        free, workers, at, audio = self._free, self._workers, self._at_s, self._audio_s
        place, count, rate, took = self._head, len(self._at_s), self._rate, self.tally.took_s
        heard_s = queued_s = 0.0
        while free and place < count:
            arrived = at[place]
            free_s, number = free[0]
            start = free_s if free_s > arrived else arrived  # noqa: FURB136  # `max` takes a third of the time of all
            if start >= until_s:
                break
            length = audio[place]
            finish = start + length * rate
            heapreplace(free, (finish, number))
            workers[number].job = place
            took[place] = finish - arrived
            heard_s += length
            queued_s += start - arrived
            place += 1
        begun = self._begun
        begun.jobs += place - self._head
        begun.audio_s += heard_s
        begun.heard_audio_s += heard_s
        begun.queued_s += queued_s
        self._head = place

    def serve_with_help(self, now_s: float, until_s: float, usd: float) -> float:
        """The same, while the fallback takes what would wait too long; returns what it cost, ``usd`` at most."""
        before = self.fallback_usd
        while self._begin_any(until_s, now_s, usd - (self.fallback_usd - before)):
            pass
        return self.fallback_usd - before

    def resize(self, now_s: float, wanted: int) -> None:
        """Ask for workers, or let some go: first those that start, then idle ones, then those that are free soonest."""
        while self._leaving and self._leaving[0][0] <= now_s:
            self._machines.give_back(heappop(self._leaving)[1])
        while self.size < wanted and (region := self._machines.take()) is not None:
            self._start(now_s, region)
        if self.size > wanted:
            going = sorted(self._free, key=lambda each: (self._workers[each[1]].job is not None, each[0]))
            for free_s, number in going[: self.size - wanted]:
                self._let_go(now_s, free_s, number)
            self._rebuild()

    def lose_next(self) -> None:
        """The machine that is next to be taken away is."""
        at_s, number = heappop(self._deaths)
        self._lose(at_s, [each for each in self._free if each[1] == number])

    def lose_region(self, now_s: float, region: int) -> None:
        """All machines of a region are gone."""
        self._lose(now_s, [each for each in self._free if self._workers[each[1]].region == region])

    def look(self, now_s: float, *, rows: bool) -> Seen:
        """What there is to see; with ``rows`` also what ended since they were last asked for."""
        arrived = bisect_right(self._at_s, now_s, self._arrived)
        self._arrived_audio_s += sum(self._audio_s[self._arrived : arrived])
        self._arrived = arrived
        hand = self._in_hand(now_s)
        places = [place for _, place in self._returned]
        if arrived > self._head:
            places.append(self._head)
        return Seen(
            waiting=max(0, arrived - self._begun.jobs),
            in_hand=len(hand),
            waiting_audio_s=max(0.0, self._arrived_audio_s - self._begun.audio_s),
            oldest_s=now_s - min(self._at_s[place] for place in places) if places else 0.0,
            settled=self._settled(now_s, hand) if rows else None,
        )

    @property
    def answered_s(self) -> float:
        """When the last of the jobs that were begun is answered; 0 = none was."""
        answers = map(operator.add, self._at_s, self.tally.took_s)
        return max((at_s for at_s in answers if not math.isnan(at_s)), default=0.0)

    def gpu_s(self, end_s: float) -> float:
        """Seconds of machines that are paid for until an end: those that are there then, and what others had before."""
        stays = [*self._stays, *((each.asked_s, NEVER) for each in self._workers.values())]
        return math.fsum(max(0.0, min(gone_s, end_s) - asked_s) for asked_s, gone_s in stays)

    def _begin_any(self, until_s: float, now_s: float = NEVER, usd: float = 0.0) -> bool:
        """Begin the job that is next, one that comes again before others; False where none begins in time."""
        head_s = self._at_s[self._head] if self._head < len(self._at_s) else NEVER
        again_s = self._returned[0][0] if self._returned else NEVER
        free_s, number = self._free[0] if self._free else (NEVER, 0)
        again = again_s <= max(free_s, head_s)
        there_s = again_s if again else head_s
        place = self._returned[0][1] if again and self._returned else self._head
        if there_s >= until_s:
            return False
        arrived, length = self._at_s[place], self._audio_s[place]
        start = max(free_s, there_s)
        circumstances = self._machines.circumstances
        given_s = max(arrived + HELP_SHARE * self._lane.target_s, there_s, now_s)
        price = length * (circumstances.fallback_usd_per_audio_s or 0.0)
        helped = given_s < min(start, until_s) and price <= usd
        if not helped and start >= until_s:
            return False
        if again:
            heappop(self._returned)
        else:
            self._head += 1
        self._begun.jobs += 1
        self._begun.audio_s += length
        self._begun.queued_s += (given_s if helped else start) - arrived
        if helped:
            self.fallback_jobs += 1
            self.fallback_usd += price
            self.tally.took_s[place] = given_s + circumstances.fallback_s - arrived
            return True
        self._begun.heard_audio_s += length
        finish = start + length * self._rate
        heapreplace(self._free, (finish, number))
        self._workers[number].job = place
        self.tally.took_s[place] = finish - arrived
        return True

    def _start(self, now_s: float, region: int) -> None:
        self._made += 1
        chance, circumstances = self._machines.chance(self._name, self._made), self._machines.circumstances
        spread = circumstances.cold_start_spread
        start_s = self._lane.cold_start_s * chance.uniform(1 - spread, 1 + spread)
        ready_s = now_s + start_s if now_s > 0 else now_s  # the trace begins in the middle of a day's work
        self._workers[self._made] = _Worker(now_s, region)
        heappush(self._free, (ready_s, self._made))
        if self._lane.spot and circumstances.spot_losses_per_hour:
            life_s = chance.expovariate(circumstances.spot_losses_per_hour / HOUR_S)
            heappush(self._deaths, (now_s + life_s, self._made))

    def _lose(self, now_s: float, gone: list[tuple[float, int]]) -> None:
        for free_s, number in gone:
            if free_s > now_s:
                self._take_back(free_s, number, now_s + self._machines.circumstances.redelivered_s)
            self._end(number, now_s, now_s)
            self.lost += 1
        self._rebuild()

    def _let_go(self, now_s: float, free_s: float, number: int) -> None:
        gone_s = now_s
        if free_s > now_s and self._workers[number].job is not None:
            latest_s = now_s + self._machines.circumstances.drain_s
            if free_s > latest_s:
                self._take_back(free_s, number, latest_s)
            gone_s = min(free_s, latest_s)
        self._end(number, now_s, gone_s)

    def _take_back(self, finish_s: float, number: int, again_s: float) -> None:
        """The job that a worker has in hand comes again."""
        place = self._workers[number].job
        if place is None:
            return
        length, arrived = self._audio_s[place], self._at_s[place]
        self.tally.took_s[place] = math.nan
        self._begun.jobs -= 1
        self._begun.audio_s -= length
        self._begun.heard_audio_s -= length
        self._begun.queued_s -= finish_s - length * self._rate - arrived
        heappush(self._returned, (again_s, place))

    def _end(self, number: int, now_s: float, gone_s: float) -> None:
        worker = self._workers.pop(number)
        self._stays.append((worker.asked_s, gone_s))
        if gone_s > now_s:
            heappush(self._leaving, (gone_s, worker.region))
        else:
            self._machines.give_back(worker.region)

    def _rebuild(self) -> None:
        self._free = [each for each in self._free if each[1] in self._workers]
        heapify(self._free)

    def _in_hand(self, now_s: float) -> list[tuple[float, int]]:
        """Workers with a job; when each is free, and the place of its job."""
        workers = self._workers
        return [
            (free_s, job)
            for free_s, number in self._free
            if free_s > now_s and (job := workers[number].job) is not None
        ]

    def _settled(self, now_s: float, hand: list[tuple[float, int]]) -> Settled:
        held_s = sum(self._audio_s[place] for _, place in hand)
        held_wait_s = sum(free_s - self._audio_s[place] * self._rate - self._at_s[place] for free_s, place in hand)
        begun, told = self._begun, self._told
        now = _Sums(
            begun.jobs - len(hand), begun.audio_s - held_s, begun.heard_audio_s - held_s, begun.queued_s - held_wait_s
        )
        span_s, self._told, self._told_s = now_s - self._told_s, now, now_s
        heard_s = max(0.0, now.heard_audio_s - told.heard_audio_s)
        return Settled(
            span_s=span_s,
            jobs=max(0, now.jobs - told.jobs),
            audio_s=max(0.0, now.audio_s - told.audio_s),
            heard_audio_s=heard_s,
            busy_s=heard_s * self._rate,
            queued_s=max(0.0, now.queued_s - told.queued_s),
        )

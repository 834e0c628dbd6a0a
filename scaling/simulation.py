"""``Simulation``: plays a trace through simulated fleets that somebody scales; no chance but the seed's."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from earmark.vocabulary import Lane
from scaling.fleet import NEVER, Fleet
from scaling.machines import Machines
from scaling.outcome import LaneOutcome, Outcome
from scaling.policy import Policy
from scaling.scalers import Scaler
from scaling.seen import Seen
from scaling.trace import Trace
from scaling.weather import Weather

DAY_S: Final = 86_400.0
HOUR_S: Final = 3600.0
AFTER_S: Final = 6 * HOUR_S
"""For so long after the last arrival what is left may be worked off; then it counts as late, and as unanswered."""
PROGRESS_EVERY: Final = 200

Progress = Callable[[float], None]
"""Is told the share of the trace that has passed."""


class Simulation:
    """One trace under one way to scale."""

    def __init__(
        self, trace: Trace, policy: Policy, scaler: Scaler, weather: Weather, rates: Mapping[Lane, float] | None = None
    ) -> None:
        """Take what happens, and the seconds of a worker for a second of audio (else the policy's)."""
        self._trace, self._policy, self._scaler, self._weather = trace, policy, scaler, weather
        self._machines = Machines(policy, weather.seed)
        rates = rates or {lane: each.service_s_per_audio_s for lane, each in policy.lanes.items()}
        self._fleets = {
            lane: Fleet(lane, policy.lanes[lane], trace.lanes[lane], self._machines, rates[lane]) for lane in Lane
        }
        self._most = dict.fromkeys(Lane, 0)
        self._late_looks: deque[tuple[float, Mapping[Lane, Seen]]] = deque()
        self._failover = dict.fromkeys(Lane, False)
        self._spent: dict[int, float] = {}
        self._was_lost = False
        self._busy_s = -NEVER
        """When there was last something to do, or nobody could tell."""
        self._follows = True
        """Whether each fleet is as large as it should be."""

    def run(self, name: str, progress: Progress = lambda _: None) -> Outcome:
        """Play it."""
        now_s, rows_s, looks = 0.0, -NEVER, 0
        end_s = self._trace.end_s
        latest_s = end_s + AFTER_S
        while True:
            rows = now_s - rows_s >= self._policy.rows_every_s - 1e-9
            rows_s = now_s if rows else rows_s
            self._scale(now_s, rows=rows)
            next_s = min(each.next_job_s for each in self._fleets.values())
            busy = any(each.busy(now_s) for each in self._fleets.values())
            if next_s == NEVER and not busy:
                done_s = max(each.answered_s for each in self._fleets.values())
                if done_s <= now_s:
                    break
            if now_s >= latest_s:
                done_s = latest_s
                break
            if busy or next_s <= now_s or any(each.holds(now_s) for each in self._weather.unseen):
                self._busy_s = now_s
            step_s = self._quiet_s(now_s, next_s) if rows else self._policy.every_s
            until_s = min(now_s + step_s, latest_s)
            self._pass(now_s, until_s)
            now_s = until_s
            looks += 1
            if looks % PROGRESS_EVERY == 0:
                progress(min(1.0, now_s / end_s) if end_s else 1.0)
        progress(1.0)
        return Outcome(name, {lane: self._outcome(lane, done_s) for lane in Lane}, done_s)

    def _quiet_s(self, now_s: float, next_s: float) -> float:
        """Seconds until the next look of which anything can come; those before it are left out.

        It is one at which rows would have been looked at as well, so that what follows is the same.
        """
        every_s, weather = self._policy.every_s, self._weather
        if not self._follows or now_s - self._busy_s < weather.late_s + every_s:
            return every_s
        edges = [edge for each in (*weather.unseen, *weather.regions_lost) for edge in (each.at_s, each.end_s)]
        until_s = min(
            next_s,
            self._scaler.stands_until_s(now_s),
            (now_s // DAY_S + 1) * DAY_S,  # there is money again
            *(each.next_loss_s for each in self._fleets.values()),
            *(edge for edge in edges if edge > now_s),
        )
        rows_s = math.ceil(self._policy.rows_every_s / every_s - 1e-9) * every_s
        return max(every_s, math.floor(max(0.0, until_s - now_s) / rows_s) * rows_s)

    def _scale(self, now_s: float, *, rows: bool) -> None:
        """Look, ask, follow."""
        seen = {lane: self._weather.seen(now_s, each.look(now_s, rows=rows)) for lane, each in self._fleets.items()}
        day = int(now_s // DAY_S)
        usd = self._policy.simulation.fallback_daily_usd - self._spent.get(day, 0.0)
        desired = self._scaler.step(now_s, self._late(now_s, seen), money=usd > 0)
        self._follows = True
        for lane, fleet in self._fleets.items():
            fleet.resize(now_s, desired[lane].workers)
            self._follows = self._follows and fleet.size == desired[lane].workers
            self._failover[lane] = desired[lane].failover
            self._most[lane] = max(self._most[lane], fleet.size)

    def _late(self, now_s: float, seen: Mapping[Lane, Seen]) -> Mapping[Lane, Seen]:
        """What is seen of the queues some time later, with what is seen of the rows now."""
        if not self._weather.late_s:
            return seen
        self._late_looks.append((now_s, seen))
        while len(self._late_looks) > 1 and self._late_looks[1][0] <= now_s - self._weather.late_s:
            self._late_looks.popleft()
        old = self._late_looks[0][1]
        return {
            lane: Seen(
                old[lane].waiting, each.in_hand, old[lane].waiting_audio_s, old[lane].oldest_s, each.settled
            )
            for lane, each in seen.items()
        }  # fmt: skip

    def _pass(self, now_s: float, until_s: float) -> None:
        """Let time pass, with what is lost on the way."""
        at_s = now_s
        while at_s < until_s:
            changes = [edge for span in self._weather.regions_lost for edge in (span.at_s, span.end_s)]
            stop_s = min([edge for edge in changes if at_s < edge < until_s], default=until_s)
            for lane, fleet in self._fleets.items():
                begin_s = at_s
                while (loss_s := fleet.next_loss_s) < stop_s:
                    self._serve(lane, begin_s, max(loss_s, begin_s))
                    fleet.lose_next()
                    begin_s = max(loss_s, begin_s)
                self._serve(lane, begin_s, stop_s)
            at_s = stop_s
            self._look_at_regions(at_s)

    def _serve(self, lane: Lane, now_s: float, until_s: float) -> None:
        fleet = self._fleets[lane]
        if not self._failover[lane]:
            fleet.serve(until_s)
            return
        day = int(now_s // DAY_S)
        left = self._policy.simulation.fallback_daily_usd - self._spent.get(day, 0.0)
        self._spent[day] = self._spent.get(day, 0.0) + fleet.serve_with_help(now_s, until_s, max(0.0, left))

    def _look_at_regions(self, now_s: float) -> None:
        lost = any(each.holds(now_s) for each in self._weather.regions_lost)
        if lost is not self._was_lost:
            self._was_lost = lost
            self._machines.lose(0, lost=lost)
            for fleet in self._fleets.values() if lost else ():
                fleet.lose_region(now_s, 0)

    def _outcome(self, lane: Lane, end_s: float) -> LaneOutcome:
        fleet, prices = self._fleets[lane], self._policy.simulation
        hours = fleet.gpu_s(end_s) / HOUR_S
        usd = prices.spot_usd_per_gpu_hour if self._policy.lanes[lane].spot else prices.usd_per_gpu_hour
        tally = fleet.tally
        p50_s, p95_s, p99_s = tally.quantiles(0.50, 0.95, 0.99)
        return LaneOutcome(
            jobs=len(tally.took_s),
            late=tally.late,
            unanswered=tally.unanswered,
            p50_s=p50_s,
            p95_s=p95_s,
            p99_s=p99_s,
            gpu_hours=hours,
            gpu_usd=hours * (usd or 0.0),
            fallback_jobs=fleet.fallback_jobs,
            fallback_usd=fleet.fallback_usd,
            most_workers=self._most[lane],
            lost_workers=fleet.lost,
        )

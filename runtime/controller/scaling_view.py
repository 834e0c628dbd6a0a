"""``ScalingView``: what the controller of workers is told of the queues and of the rows, and what it says."""

import logging
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from earmark.errors import ConfigurationError, Unavailable
from earmark.log import event
from earmark.ports import Clock
from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime.backend import Backend, QueueDepth
from runtime.cascading import make_spend
from runtime.controller.failover_flag import FailoverFlag
from runtime.controller.scaling_memory import ScalingMemory
from runtime.controller.scaling_rows import Ended, ScalingRows
from runtime.queue_depths import told_depth
from scaling.controller import Controller
from scaling.desired import Desired
from scaling.policy import Policy, load_policy
from scaling.seen import Seen

MEMORY: Final = 0.9
"""What a second of audio weighed in bytes at the last look counts for so much at the next one."""

_log = logging.getLogger(__name__)
Found = TypeVar("Found")


class ScalingView:
    """Looks at everything, and steps the controller; keeps what it saw between calls."""

    def __init__(
        self, policy: Policy, backend: Backend, clock: Clock, money: Callable[[], bool], *, every_s: float | None = None
    ) -> None:
        """Take the policy, the adapters, the present, and whether the fallback may be paid.

        ``every_s`` is for how many seconds the rows are left alone after a look; ``None`` = as the policy says.
        """
        self._backend, self._clock, self._money = backend, clock, money
        self._policy = policy
        self._controller: Controller | None = None
        self._memory = ScalingMemory(backend.state, clock)
        self._rows = ScalingRows(backend.warehouse, clock, policy.rows_every_s if every_s is None else every_s)
        self._flag = FailoverFlag(backend.state, clock)
        self._bytes: dict[Lane, tuple[float, float]] = {}
        """Bytes and seconds of audio of what ended, older ones counting for less."""
        self._now_s = float("-inf")
        self._ever = False
        self._failing: set[str] = set()

    def __call__(self) -> Mapping[Lane, Desired]:
        """How many workers each lane should have now; workers and the next controller are told as well.

        Raises:
            Unavailable: neither queues nor rows can be looked into, and nothing was ever seen.
        """
        desired = self.reckon()
        self._tried("memory", lambda: self._memory.keep(desired))
        helped = [lane for lane, each in desired.items() if each.failover]
        self._tried("failover", lambda: self._flag.tell(helped))
        return desired

    def reckon(self) -> Mapping[Lane, Desired]:
        """The same, and nobody is told: nothing is written.

        Raises:
            Unavailable: as above.
        """
        ended = self._tried("rows", self._rows.ended)
        usual = self._tried("usual", self._rows.usual_audio_per_s) or {}
        seen = {lane: self._seen(lane, ended[lane] if ended else None, usual.get(lane)) for lane in Lane}
        self._ever = self._ever or any(each.in_hand is not None or each.settled for each in seen.values())
        if not self._ever:
            message = "Neither queues nor rows can be looked into, so nobody knows how many workers are needed"
            raise Unavailable(message)
        self._now_s = max(self._now_s, self._clock().timestamp())  # a clock that is set back stands still here
        if self._controller is None:
            self._controller = Controller(self._policy, self._tried("memory", self._memory.recall))
        return self._controller.step(self._now_s, seen, money=self._tried("spend", self._money) or False)

    def _seen(self, lane: Lane, ended: Ended | None, usual: float | None) -> Seen:
        if ended is not None:
            weight, audio_s = self._bytes.get(lane, (0.0, 0.0))
            self._bytes[lane] = weight * MEMORY + ended.size_bytes, audio_s * MEMORY + ended.settled.audio_s
        depth = self._tried(f"queue {lane}", lambda: self._depth(lane))
        waiting = None if depth is None or depth.waiting is None else depth.waiting + (depth.delayed or 0)
        return Seen(
            waiting=waiting,
            in_hand=None if depth is None else depth.leased,
            waiting_audio_s=None if waiting is None else self._audio_s(lane, waiting),
            oldest_s=None if depth is None else depth.oldest_age_s,
            settled=None if ended is None else ended.settled,
            seasonal_per_s=usual,
        )

    def _depth(self, lane: Lane) -> QueueDepth:
        """As far as it can be told: where nobody can be asked who watches the queue, what it says itself."""
        try:
            return told_depth(self._backend, lane)
        except (Unavailable, ConfigurationError) as error:
            depth = self._backend.depths[lane]()
            self._failed(f"watched {lane}", error)
            return depth

    def _audio_s(self, lane: Lane, waiting: int) -> float | None:
        """Seconds of audio that wait, from the sizes of what waits and what a second weighed lately."""
        weight, audio_s = self._bytes.get(lane, (0.0, 0.0))
        if not waiting:
            return 0.0
        if weight <= 0 or audio_s <= 0:
            return None
        mean = self._tried(f"sizes {lane}", lambda: self._backend.mean_waiting_bytes(lane))
        return None if mean is None else waiting * mean * audio_s / weight

    def _tried(self, what: str, look: Callable[[], Found]) -> Found | None:
        """What was found; ``None`` where it cannot be looked at, which is said once until it can."""
        try:
            found = look()
        except (Unavailable, ConfigurationError) as error:
            self._failed(what, error)
            return None
        self._failing.discard(what)
        return found

    def _failed(self, what: str, error: Exception) -> None:
        if what not in self._failing:
            self._failing.add(what)
            event(_log, "scaling.blind", level=logging.WARNING, what=what, error=str(error))


def open_scaling(settings: Settings, backend: Backend, clock: Clock) -> ScalingView:
    """What looks and says how many workers each lane should have; to be called every ``controller_every_s``.

    It keeps what it saw between calls, so one is opened for each process.  A call raises ``Unavailable`` only where
    nothing can be looked into and nothing was ever seen.  The promises are those of the settings.

    Raises:
        ConfigurationError: the policy cannot be used.
    """
    targets = {Lane.HIGH: settings.sla_high_s, Lane.LOW: settings.sla_low_s}
    policy = load_policy(settings.scaling_policy, targets_s=targets)
    spend = make_spend(settings, backend, clock)

    def money() -> bool:
        return bool(settings.fallback) and spend.today() < settings.fallback_daily_usd

    return ScalingView(policy, backend, clock, money)

"""``ScalingLook``: how scaling stands, for a person: what the controller that runs said last.  It writes nothing."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from earmark.ports import Clock
from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime.backend import Backend
from runtime.controller.failover_flag import FailoverFlag
from runtime.controller.scaling_memory import AGAIN, FRESH, ScalingMemory
from runtime.controller.scaling_view import open_scaling
from scaling.desired import Desired


class ScalingLook:
    """What stands: the workers that are asked for and the failover that workers follow, whoever said so."""

    def __init__(self, settings: Settings, backend: Backend, clock: Clock, tell: Callable[[str], None]) -> None:
        """Take the adapters, the present, and who is told what the figures stand on, in a sentence.

        Raises:
            ConfigurationError: the policy cannot be used.
        """
        self._view = open_scaling(settings, backend, clock)
        self._memory, self._flag = ScalingMemory(backend.state, clock), FailoverFlag(backend.state, clock)
        self._clock, self._tell = clock, tell

    def __call__(self) -> Mapping[Lane, Desired]:
        """As the controller that runs said it; where none did lately, as one that begins now would.

        Audio that waits is looked at now.  Failover is what workers follow, in either case.

        Raises:
            Unavailable: what stands cannot be read, or neither queues nor rows can be looked into.
        """
        kept, helped = self._memory.latest(), self._flag.lanes()
        fresh = {lane: replace(each, failover=lane in helped) for lane, each in self._view.reckon().items()}
        wanted = ", ".join(f"{lane} {each.wanted}" for lane, each in fresh.items())
        if kept is None:
            minutes = FRESH.total_seconds() / 60
            asked = ", ".join(f"{lane} {each.workers}" for lane, each in fresh.items())
            why = (
                ""
                if asked == wanted
                else "  It cannot know how many run, so it begins with those of the policy's "
                "`blind` and changes their number from there."
            )
            self._tell(
                f"scaling: no controller has asked for workers in the last {minutes:.0f} minutes.  "
                f"The figures are those of one that begins now: it would ask for {asked}, and lanes need: {wanted}."
                f"{why}"
            )
            return fresh
        silent = self._clock() - kept.at > 2 * AGAIN
        self._tell(
            f"scaling: the figures are those of the controller at {kept.at:%H:%M:%S} UTC"
            f"{', which has said nothing since: does it run?' if silent else '.'}  "
            f"One that begins now would say that lanes need: {wanted}."
        )
        return {
            lane: replace(
                each,
                workers=kept.workers.get(lane, each.workers),
                arrivals_per_s=kept.arrivals_per_s.get(lane),
                service_s=kept.service_s.get(lane),
            )
            for lane, each in fresh.items()
        }

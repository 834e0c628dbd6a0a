"""``Options``: what ``earmark simulate`` was asked for, and what that makes of the policy and the weather."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earmark.errors import ConfigurationError
from earmark.vocabulary import Lane
from scaling.comparing import Peers, half_a_promise
from scaling.policy import Policy, load_policy
from scaling.trace import Trace
from scaling.weather import Span, Weather

Both = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Options:
    """As the command line says; ``None`` = as the policy says.  Pairs are for high and low."""

    policy: Path | None = None
    seed: int = 0
    jobs_per_worker: Both = (None, None)
    fixed: tuple[int | None, int | None] = (None, None)
    usd_per_gpu_hour: float | None = None
    spot_usd_per_gpu_hour: float | None = None
    spot_losses_per_hour: float | None = None
    cold_start_s: float | None = None
    service_s_per_audio_s: float | None = None
    lose_region: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    late_s: float = 0.0
    hide_lengths: bool = False
    hide_queue: bool = False
    match: bool = False
    """Whether the best depth at no more GPU hours is looked for."""

    def weather(self) -> Weather:
        """What befalls the fleets.

        Raises:
            ConfigurationError: a span is none.
        """
        return Weather(
            seed=self.seed,
            regions_lost=tuple(_span("--lose-region", each) for each in self.lose_region),
            unseen=tuple(_span("--unseen", each) for each in self.unseen),
            late_s=self.late_s,
            hides_length=self.hide_lengths,
            hides_queue=self.hide_queue,
        )

    def vain(self, end_s: float, done_s: float) -> Iterator[str]:
        """Spans that changed nothing, as they begin when all is done.

        Args:
            end_s: when the last job arrives, in seconds of the trace.
            done_s: when the last way to scale has answered all of them, or gives up.
        """
        spans = [*(("--lose-region", each) for each in self.lose_region), *(("--unseen", each) for each in self.unseen)]
        for option, text in spans:
            if _span(option, text).at_s >= done_s:
                yield (
                    f"{option} {text} changed nothing: the trace ends at {end_s:,.0f} s, and by {done_s:,.0f} s "
                    "all was over.  Is AT in seconds from its first arrival?"
                )

    def applied(self, path: Path | None) -> Policy:
        """The policy with what was asked for in it.

        Args:
            path: of the policy that is set, where the command line names none.

        Raises:
            ConfigurationError: it cannot be used.
        """
        policy = load_policy(self.policy or path)
        lane = {"cold_start_s": self.cold_start_s, "service_s_per_audio_s": self.service_s_per_audio_s}
        prices = {
            "usd_per_gpu_hour": self.usd_per_gpu_hour,
            "spot_usd_per_gpu_hour": self.spot_usd_per_gpu_hour,
            "spot_losses_per_hour": self.spot_losses_per_hour,
        }
        lanes = {name: each.model_copy(update=_given(lane)) for name, each in policy.lanes.items()}
        return policy.model_copy(
            update={"lanes": lanes, "simulation": policy.simulation.model_copy(update=_given(prices))}
        )

    def peers(self, trace: Trace, policy: Policy) -> Peers:
        """What the controller is compared with; what was not asked for follows from the trace."""
        usual, asked, fixed = half_a_promise(trace, policy), self.jobs_per_worker, self.fixed
        lanes = (Lane.HIGH, Lane.LOW)
        return Peers(
            jobs_per_worker={lane: each or usual[lane] for lane, each in zip(lanes, asked, strict=True)},
            fixed={lane: each for lane, each in zip(lanes, fixed, strict=True) if each is not None},
        )


def _given(values: dict[str, float | None]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _span(option: str, text: str) -> Span:
    begin, _, length = text.partition(":")
    try:
        span = Span(float(begin), float(length))
    except ValueError:
        span = Span(math.nan, math.nan)
    if not (0 <= span.at_s < math.inf and 0 < span.for_s < math.inf):
        message = f"{option} {text!r} is no span.  Write AT:FOR in seconds of the trace, as 3600:1800."
        raise ConfigurationError(message)
    return span

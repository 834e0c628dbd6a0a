"""``priced``: a scaling policy with the prices its simulator reckons with, and where each comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from earmark.errors import ConfigurationError
from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime.cost.assumed import asking_usd
from runtime.cost.prices import doubts, load_prices
from scaling.policy import Policy
from workers.models.catalogue import find_provider

_PRICES: Final = {"usd_per_gpu_hour", "spot_usd_per_gpu_hour", "fallback_usd_per_audio_s"}


@dataclass(frozen=True, slots=True)
class Taken:
    """A price that was taken."""

    usd: float
    source: str
    as_of: date | None = None
    """``None`` = somebody gave it, for this policy or on the command line."""


@dataclass(frozen=True, slots=True)
class Priced:
    """The policy, and what its dollars stand on."""

    policy: Policy
    prices: Mapping[str, Taken]
    """By the name that it has in the policy."""
    warnings: tuple[str, ...]


def priced(policy: Policy, settings: Settings, today: date) -> Priced:
    """Take what the policy does not say from the price lists.

    A second of audio costs the fallback what a job of lane high of usual length does, divided by that length: where the
    fallback helps out, it is nearly always there.

    Args:
        policy: whose own prices stand.
        settings: which name the fallback and files of prices and providers.
        today: by which prices are old.

    Raises:
        ConfigurationError: there is no such machine or provider, or no price of it.
    """
    name = policy.simulation.machine
    machine = load_prices(settings.prices).machine(name)
    spot = any(lane.spot for lane in policy.lanes.values())
    if spot and machine.spot_usd_per_hour is None and policy.simulation.spot_usd_per_gpu_hour is None:
        message = (
            f"There is no spot price of {name}, and lanes of the policy are on spot machines.  "
            f"Give --spot-usd-per-gpu-hour, or add [machines.{name}.spot_usd_per_hour] to your prices."
        )
        raise ConfigurationError(message)
    provider = find_provider(settings, settings.fallback or "openai")
    usual_s = policy.lanes[Lane.HIGH].audio_s
    listed = {
        "fallback_usd_per_audio_s": Taken(
            asking_usd(provider, usual_s) / usual_s, f"{provider.name}/{provider.model}", provider.prices.as_of
        )
    }
    for key, price in (
        ("usd_per_gpu_hour", machine.usd_per_hour),
        ("spot_usd_per_gpu_hour", machine.spot_usd_per_hour),
    ):
        if price is not None:
            listed[key] = Taken(price.usd, price.source, price.as_of)
    own = policy.simulation.model_dump(include=_PRICES, exclude_none=True)
    found = listed | {key: Taken(usd, "given") for key, usd in own.items()}
    return Priced(
        policy.model_copy(
            update={"simulation": policy.simulation.model_copy(update={key: each.usd for key, each in found.items()})}
        ),
        found,
        tuple(doubts({key: (each.as_of, each.usd) for key, each in found.items() if key not in own}, today)),
    )

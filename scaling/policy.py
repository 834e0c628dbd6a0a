"""``Policy``: how the lanes are scaled, as data; ``policy.toml`` beside this file is the one that ships."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError
from pydantic import model_validator as validator

from earmark.errors import ConfigurationError
from earmark.metadata import Frozen
from earmark.vocabulary import Lane

SHIPPED: Final = Path(__file__).parent / "policy.toml"
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Finite(Frozen):
    """Numbers that can be reckoned with: JSON knows no others."""

    model_config = ConfigDict(allow_inf_nan=False)


class LanePolicy(_Finite):
    """How one lane is scaled; ``policy.toml`` says what each number means."""

    target_s: Seconds
    floor: NonNegativeInt
    cap: PositiveInt
    blind: NonNegativeInt
    cold_start_s: Seconds
    headroom: Annotated[float, Field(ge=0, le=10)]
    buffer_s: NonNegativeFloat
    drain_s: Seconds
    rate_s: Seconds
    ahead: Share
    up_step: PositiveInt
    down_after_s: NonNegativeFloat
    down_step: PositiveInt
    failover_after_s: NonNegativeFloat
    audio_s: PositiveFloat
    service_s_per_audio_s: PositiveFloat
    spot: bool

    @validator(mode="after")
    def _fits(self) -> Self:
        if self.floor > self.cap or self.blind > self.cap:
            message = "floor and blind must not exceed cap"
            raise ValueError(message)
        if self.buffer_s >= self.target_s:
            message = "buffer_s must be less than target_s, or jobs that wait as intended are late"
            raise ValueError(message)
        return self


class Circumstances(_Finite):
    """What the simulator takes for granted.

    Prices are of others: where they are ``None``, ``earmark simulate`` takes those of its price lists, and whoever
    simulates without them gets no dollars.
    """

    machine: str
    usd_per_gpu_hour: NonNegativeFloat | None = None
    spot_usd_per_gpu_hour: NonNegativeFloat | None = None
    fallback_usd_per_audio_s: NonNegativeFloat | None = None
    fallback_s: NonNegativeFloat
    fallback_daily_usd: NonNegativeFloat
    spot_losses_per_hour: Annotated[float, Field(ge=0, le=60)]
    cold_start_spread: Share
    regions: Annotated[int, Field(ge=1, le=100)]
    redelivered_s: Seconds
    drain_s: NonNegativeFloat


class Policy(_Finite):
    """How all lanes are scaled."""

    gpus: PositiveInt
    every_s: Seconds
    rows_every_s: Seconds
    blind_s: Seconds
    seasonal_share: Share
    lanes: Mapping[Lane, LanePolicy]
    simulation: Circumstances

    @validator(mode="after")
    def _complete(self) -> Self:
        missing = [lane.value for lane in Lane if lane not in self.lanes]
        if missing:
            message = f"there is no lanes.{missing[0]}"
            raise ValueError(message)
        if sum(max(lane.floor, lane.blind) for lane in self.lanes.values()) > self.gpus:
            message = "floors and blind workers of all lanes must fit into gpus"
            raise ValueError(message)
        return self


def load_policy(path: Path | None = None, *, targets_s: Mapping[Lane, float] | None = None) -> Policy:
    """Read a policy from a TOML file.

    Args:
        path: the file; ``None`` = the one that ships.
        targets_s: promises in place of those in the file.

    Raises:
        ConfigurationError: the file cannot be read, or a number in it cannot be; names it.
    """
    path = path or SHIPPED
    try:
        found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        for lane, target_s in (targets_s or {}).items():
            if isinstance(found.get("lanes"), dict) and isinstance(found["lanes"].get(lane), dict):
                found["lanes"][lane]["target_s"] = target_s
        return Policy.model_validate(found)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"Cannot read the scaling policy {path}: {error}"
        raise ConfigurationError(message) from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg'].removeprefix('Value error, ')}".removeprefix(": ")
            for each in error.errors()
        )
        message = f"The scaling policy {path} cannot be used: {faults}"
        raise ConfigurationError(message) from None

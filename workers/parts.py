"""What a worker is made of and what it may take on."""

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from earmark.domain import Clip, Job, Lease, Record, Upload
from earmark.ports import Clock, Queue
from earmark.vocabulary import Lane
from workers.degradation import Degradation
from workers.keeper import Keeper
from workers.lane_picker import LanePicker
from workers.observer import Observers
from workers.primary import Arms
from workers.second_opinion import SecondOpinion
from workers.settle import Settler


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What a worker may take on; ``Settings`` describes each field."""

    lease_s: float
    max_tries: int
    retry_delay_s: float
    outage_max_s: float
    poll_s: float
    drain_s: float
    batch_jobs: int
    batch_audio_s: float
    predict_timeout_s: float
    confidence_threshold: float
    sla_high_s: float = math.inf
    sla_low_s: float = math.inf
    model_usd_per_hour: float = 0.0

    def target_s(self, lane: Lane) -> float:
        """How long a job of a lane should take."""
        return self.sla_high_s if lane is Lane.HIGH else self.sla_low_s


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker works with; ``runtime/wiring.py`` puts it together."""

    name: str
    lanes: Mapping[Lane, Queue]
    picker: LanePicker
    keeper: Keeper
    fetch: Callable[[Upload], AbstractContextManager[Path]]
    """Gives the uploaded bytes as a local file for as long as the context lasts."""
    decode: Callable[[Lease, Path], Clip]
    """Blocks until a decoder process is done; called from ``decoders`` threads at once."""
    discard: Callable[[Clip], None]
    decoders: int
    find_record: Callable[[str, str], Record | None]
    """The record of a tenant's job, if it has one."""
    arms: Arms
    settler: Settler
    clock: Clock
    second: SecondOpinion = field(default_factory=SecondOpinion)
    degradation: Degradation = field(default_factory=Degradation)
    alive: Callable[[], None] = lambda: None
    """Hears each time a queue has answered."""
    observers: Observers = field(default_factory=Observers)
    """Hear what happens; the settler and the models' processes are given them too."""
    erased: Callable[[Job], bool] = lambda _: False
    """Whether what a job is about was erased at its owner's request: nobody may listen to it any more."""

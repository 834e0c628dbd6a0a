"""``Primary``: a model that is asked first, with what a worker knows of how it fares; there is one for each arm."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earmark.domain import Job, Prediction
from earmark.errors import ModelUnavailable
from workers.breaker import Breaker
from workers.model_process import ModelProcess
from workers.outage import Outage

MODEL_STARTS_MAX = 3
"""Starts of the model that may fail in a row before a worker gives up, unless the fallback answers in its place."""
ARM_LOST_S = 15.0
"""Seconds after which the model of an arm that cannot be had counts as lost; its jobs are diverted from the first."""
ARM_LOST_LATEST_S = 30.0
"""The same where each attempt takes long: two that failed are enough then."""


class Primary:
    """One model in one process."""

    def __init__(
        self,
        name: str,
        version: str,
        model: ModelProcess,
        *,
        pause_s: float,
        part: str = "model",
        calibrate: Callable[[Prediction], Prediction] = lambda prediction: prediction,
        calibration: str = "",
    ) -> None:
        """Start nothing yet.

        Args:
            name: as the catalogue has it.
            version: changes with anything that can change an answer.
            model: its process.
            pause_s: seconds before the second start of a model that did not load; doubles.
            part: what it is called in the log: ``<part>.unavailable``.
            calibrate: gives its answers the confidences that were fitted for it.
            calibration: id of what ``calibrate`` was fitted as.
        """
        self.name = name
        self.version = version
        self.model = model
        self.calibrate = calibrate
        self.calibration = calibration
        self.outage = Outage(part, pause_s=pause_s)
        """Says when it is worth starting."""
        self.breaker = Breaker(name)
        self.failed_starts = 0
        """Starts that failed in a row without anybody else's answer in between."""
        self.shaky = False
        """Whether it broke over the last batch, so that the next one is a single job."""
        self._loads_seen = 0

    @property
    def usable(self) -> bool:
        """Whether it is likely to answer now."""
        return not self.outage.resting and not self.breaker.open

    def rest(self, why: str) -> bool:
        """Leave it alone for a while; says whether it has failed for long without an answer in between."""
        self.shaky = True
        self.failed_starts += 1
        self.outage.failed(ModelUnavailable(why))
        patience_s = ARM_LOST_S if self.failed_starts >= MODEL_STARTS_MAX else ARM_LOST_LATEST_S
        return self.failed_starts > 1 and self.outage.lasted_s >= patience_s

    def was_warm(self) -> bool:
        """Whether it was loaded before the batch that has just ended."""
        warm, self._loads_seen = self.model.loads == self._loads_seen, self.model.loads
        return warm


def _nobody(_: Job) -> Primary | None:
    return None


def _deaf(_: Job, *, ok: bool) -> None:
    del ok


def _patient(_: Job, error: str) -> None:
    del error


@dataclass(frozen=True, slots=True)
class Arms:
    """Which model answers which job."""

    default: Primary
    """Answers all that take part in no experiment, and whatever has lost the model of its arm."""
    find: Callable[[Job], Primary | None] = _nobody
    """The model of a job's arm; ``None`` = it has none any more, as after a rollback."""
    tried: Callable[..., None] = _deaf
    """Hears of each try of a job of an experiment: ``tried(job, ok=True)``."""
    lost: Callable[[Job, str], None] = _patient
    """Hears of a job whose arm's model did not start several times in a row, and why."""
    retired: Callable[[], Sequence[Primary]] = tuple
    """Models that no arm needs any more, each told of once."""

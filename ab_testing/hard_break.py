"""``HardBreak``: sees at once, in one worker, that an arm is broken, long before there is enough to compare.

An arm is broken where the tries of ``RUN`` different jobs in a row failed, or ``RATE`` of its last ``WINDOW``; each
only if the control fails so seldom that chance brings this less than once in a million such looks.  A job that fails
again counts once, for its tries are no independent witnesses.  What fails in both arms is not the arm's fault.
"""

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Final

RUN: Final = 5
RATE: Final = 0.2
WINDOW: Final = 50
CONTROL_WINDOW: Final = 1000
CHANCE_MAX: Final = 1e-6
PRIOR_FAILURES: Final = 1
PRIOR_TRIES: Final = 50
"""What is assumed of a control before it was tried: that it fails once in fifty."""


@dataclass(frozen=True, slots=True)
class Break:
    """What shows that an arm is broken: the evidence for a rollback."""

    arm: str
    sentence: str
    failed: int
    tried: int
    control_failed: int
    control_tried: int
    chance: float
    """That an arm no worse than the control would do so."""


@dataclass(slots=True)
class _Recent:
    """The latest tries, failures of one job counted once."""

    tries: deque[tuple[str, bool]]
    run: int = 0
    """Failures since the last success."""
    failing: set[str] = field(default_factory=set)
    """Jobs among them."""

    def add(self, job_id: str, *, ok: bool) -> bool:
        """Note a try; False for a failure that counts already."""
        if ok:
            self.run = 0
            self.failing.clear()
        elif job_id in self.failing or (job_id, False) in self.tries:
            return False
        else:
            self.run += 1
            self.failing.add(job_id)
            if len(self.failing) > CONTROL_WINDOW:
                self.failing.clear()
        self.tries.append((job_id, ok))
        return True

    @property
    def failed(self) -> int:
        return sum(not ok for _, ok in self.tries)


class HardBreak:
    """Watches the arms of one version of an experiment; not safe to use from several threads."""

    def __init__(self, control: str) -> None:
        """Take the name of the control."""
        self._control_name = control
        self._control = _Recent(deque(maxlen=CONTROL_WINDOW))
        self._arms: defaultdict[str, _Recent] = defaultdict(lambda: _Recent(deque(maxlen=WINDOW)))

    def add(self, arm: str, job_id: str, *, ok: bool) -> Break | None:
        """Note a try of an arm; says so when it shows that the arm is broken.

        Args:
            arm: whose model was asked; the control too, for comparison.
            job_id: of the job.
            ok: whether the model gave an answer; leave out what failed before the model was asked.
        """
        recent = self._control if arm == self._control_name else self._arms[arm]
        if not recent.add(job_id, ok=ok) or ok or recent is self._control:
            return None
        tried, failed = len(recent.tries), recent.failed
        control_failed, control_tried = self._control.failed, len(self._control.tries)
        rate = (control_failed + PRIOR_FAILURES) / (control_tried + PRIOR_TRIES)
        if recent.run >= RUN and rate**recent.run < CHANCE_MAX:
            sentence = f"{recent.run} jobs in a row failed in arm {arm}"
            chance = rate**recent.run
        elif tried >= WINDOW and failed >= RATE * tried and (chance := _at_least(failed, tried, rate)) < CHANCE_MAX:
            sentence = f"{failed} of the last {tried} tries in arm {arm} failed"
        else:
            return None
        known = f"{control_failed} of {control_tried} in the control"
        return Break(arm, f"{sentence}; {known}", failed, tried, control_failed, control_tried, chance)


def _at_least(failed: int, tried: int, rate: float) -> float:
    """Chance of so many failures or more: the upper tail of the binomial distribution."""
    return math.fsum(
        math.comb(tried, count) * rate**count * (1 - rate) ** (tried - count) for count in range(failed, tried + 1)
    )

"""``Subject``: the model that is looked at, in its process as a worker has it, with a tally of what it answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from earmark.domain import Clip, Prediction, batched_audio_s
from earmark.errors import ModelCrashed
from workers.model_process import ModelProcess
from workers.validation.memory import Resident, gpu_memory_mib, resident, uses_gpu
from workers.validation.soundness import fault_of

FAULTS_KEPT: Final = 3


class Process(Protocol):
    """A model in a child process."""

    loads: int

    @property
    def pid(self) -> int | None:
        """Of the child; None = there is none."""
        ...

    def start(self) -> None:
        """Load the model, if it is not loaded."""
        ...

    def predict(self, clips: Sequence[Clip], *, timeout_s: float) -> Any:
        """One answer per clip, in order."""
        ...

    def kill(self) -> None:
        """End the child at once."""
        ...


class WatchedProcess(ModelProcess):
    """A model's process whose memory can be read from outside."""

    @property
    def pid(self) -> int | None:
        """Of the child; None = there is none."""
        return None if self._child is None else self._child.pid


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one call."""

    answers: list[Prediction | None]
    seconds: float


class Subject:
    """Calls a model as a worker does, and counts."""

    def __init__(self, process: Process, *, timeout_s: float, clock: Callable[[], float] = time.perf_counter) -> None:
        """Take the process, the seconds a call may take beside the length of its audio, and a clock in seconds."""
        self._process = process
        self._timeout_s = timeout_s
        self._clock = clock
        self._may_load = True
        self.asked = 0
        """Clips."""
        self.answered = 0
        self.valid = 0
        self.faults: list[str] = []
        """What was wrong with answers, the first few."""
        self.deaths = 0
        """How often the process ended by itself between two calls."""
        self.cost_usd = 0.0
        self.engine = ""
        self.prompt_version = ""
        self.on_gpu: bool | None = None
        """Whether it has an NVIDIA GPU open; None = it did not load."""

    @property
    def process(self) -> Process:
        """It runs in."""
        return self._process

    def start(self) -> float:
        """Load the model; returns the seconds that took.

        Raises:
            ModelUnavailable: it does not load.
        """
        began = self._clock()
        self._process.start()
        self._may_load = False
        seconds = self._clock() - began
        pid = self._process.pid
        self.on_gpu = pid is not None and uses_gpu(pid)
        return seconds

    def predict(self, clips: Sequence[Clip]) -> Answered:
        """Ask about clips in one call.

        Raises:
            ModelUnavailable: it does not load any more, or has no answer for anything.
            ModelCrashed: its process died, it raised, or what it gave is not one answer per clip.
            TimedOut: it took too long, and was ended.
        """
        self.asked += len(clips)
        loads, began = self._process.loads, self._clock()
        timeout_s = self._timeout_s + batched_audio_s(clips)
        try:
            answers = self._process.predict(clips, timeout_s=timeout_s)
        except BaseException:
            self._may_load = True
            raise
        seconds = self._clock() - began
        if self._process.loads > loads and not self._may_load:
            self.deaths += 1
        self._may_load = False
        self._count(answers, clips)
        return Answered(answers, seconds)

    def _count(self, answers: Any, clips: Sequence[Clip]) -> None:
        whole = isinstance(answers, list) and len(answers) == len(clips)
        if not whole or not all(each is None or isinstance(each, Prediction) for each in answers):
            many = f"{len(answers)} answers" if isinstance(answers, list) else f"a {type(answers).__name__}"
            message = f"It gave {many} for {len(clips)} clips, not a prediction or None for each"
            raise ModelCrashed(message)
        for answer, clip in zip(answers, clips, strict=True):
            if answer is None:
                continue
            self.answered += 1
            fault = fault_of(answer, clip)
            if fault and len(self.faults) < FAULTS_KEPT:
                self.faults.append(f"{clip.job_id}: {fault}")
            self.valid += not fault
            if not fault:
                self.cost_usd += answer.cost_usd
                self.engine = answer.engine or self.engine
                self.prompt_version = answer.prompt_version or self.prompt_version

    def memory(self) -> Resident | None:
        """What its process holds now; None = there is none, or this system does not say."""
        pid = self._process.pid
        return None if pid is None else resident(pid)

    def gpu_memory_mib(self) -> float | None:
        """What it holds on a GPU; None = it uses none."""
        pid = self._process.pid
        return None if pid is None else gpu_memory_mib(pid)

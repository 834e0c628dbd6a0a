"""``Gpus``: what the GPUs of this machine are at, asked through NVIDIA's library where it is installed."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self

PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class GpuFigures:
    """One GPU at one moment; ``None`` = it does not tell, as parts of a divided GPU do not."""

    number: int
    used_bytes: int | None
    total_bytes: int | None
    use_ratio: float | None
    """Share of the last period, a sixth of a second to a second, in which it computed (``nvmlUtilization_t``)."""


class Nvml(Protocol):
    """The part of ``pynvml`` (package nvidia-ml-py) that is used; its functions are named as NVIDIA names them."""

    @property
    def NVMLError(self) -> type[Exception]: ...  # noqa: D102, N802

    def nvmlInit(self) -> None: ...  # noqa: D102, N802
    def nvmlShutdown(self) -> None: ...  # noqa: D102, N802
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any: ...  # noqa: D102, N802


class Gpus:
    """The GPUs, by their numbers on the machine: all of them, not only the worker's own."""

    def __init__(self, nvml: Nvml) -> None:
        """Take the library, which has been initialised."""
        self._nvml = nvml

    @classmethod
    def find(cls, nvml: Nvml | None = None) -> Self | None:
        """Those of this machine; ``None`` = there is no library or no driver."""
        try:
            library: Nvml = nvml or importlib.import_module("pynvml")
        except ImportError:
            return None
        try:
            library.nvmlInit()
        except library.NVMLError:
            return None
        return cls(library)

    def look(self) -> Iterator[GpuFigures]:
        """Each GPU that answers; one that has fallen off the bus is left out."""
        try:
            count = self._nvml.nvmlDeviceGetCount()
        except self._nvml.NVMLError:
            return
        for number in range(count):
            try:
                handle = self._nvml.nvmlDeviceGetHandleByIndex(number)
            except self._nvml.NVMLError:
                continue
            memory = self._ask(self._nvml.nvmlDeviceGetMemoryInfo, handle)
            use = self._ask(self._nvml.nvmlDeviceGetUtilizationRates, handle)
            yield GpuFigures(
                number,
                used_bytes=None if memory is None else int(memory.used),
                total_bytes=None if memory is None else int(memory.total),
                use_ratio=None if use is None else use.gpu / PERCENT,
            )

    def close(self) -> None:
        """Let go of the library."""
        try:
            self._nvml.nvmlShutdown()
        except self._nvml.NVMLError:
            return

    def _ask(self, question: Any, handle: Any) -> Any:
        try:
            return question(handle)
        except self._nvml.NVMLError:
            return None

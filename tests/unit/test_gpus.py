"""What NVIDIA's library tells of GPUs, by a double of its shape; the real one is asked where there is a GPU."""

from types import SimpleNamespace
from typing import Any

import pytest

from runtime.metrics.gpus import GpuFigures, Gpus


class Nvml:
    """Two GPUs: one that tells all, one that tells nothing of its use; a third has fallen off the bus."""

    class NVMLError(Exception):
        """As the library has it."""

    def __init__(self, *, driver: bool = True) -> None:
        """With or without a driver."""
        self.driver, self.open = driver, 0

    def nvmlInit(self) -> None:  # noqa: N802  # named as NVIDIA names it
        """Open it."""
        if not self.driver:
            raise self.NVMLError
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        """Close it."""
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        """How many."""
        return 3

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:  # noqa: N802
        """One of them."""
        if index == 1:
            raise self.NVMLError
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any:  # noqa: N802
        """In bytes."""
        return SimpleNamespace(total=1000, used=250 + handle, free=750 - handle)

    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any:  # noqa: N802
        """In percent."""
        if handle == 2:
            raise self.NVMLError
        return SimpleNamespace(gpu=40, memory=10)


def test_each_gpu_tells_what_it_can() -> None:
    """Percent become a share; the number is the machine's."""
    library = Nvml()
    gpus = Gpus.find(library)
    assert gpus is not None
    assert list(gpus.look()) == [GpuFigures(0, 250, 1000, 0.4), GpuFigures(2, 252, 1000, None)]
    gpus.close()
    assert library.open == 0


def test_without_a_driver_there_is_none() -> None:
    """As on a machine that has the library and no GPU."""
    assert Gpus.find(Nvml(driver=False)) is None


def test_the_real_library_has_the_shape_of_the_double() -> None:
    """And says that there is no driver by the error that is caught, or tells of the GPUs there are."""
    library = pytest.importorskip("pynvml")
    for name in (each for each in dir(Nvml) if each.lower().startswith("nvml")):
        assert hasattr(library, name), name
    gpus = Gpus.find()
    if gpus is not None:
        for gpu in gpus.look():
            assert gpu.total_bytes is None or gpu.total_bytes > 0
        gpus.close()

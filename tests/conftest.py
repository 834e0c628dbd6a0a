"""What every test gets: an environment without our settings, no logging set up by another test, files in memory."""

import atexit
import gc
import logging
import os
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import memory_disk

OURS = ("earmark", "router", "workers", "runtime", "ab_testing", "retention")
"""Loggers whose levels ``earmark.log.attach`` sets."""


def pytest_configure() -> None:
    """Put temporary files into memory where there is room; they go when the last server has ended.

    Threads of PyTorch that wait for each other sleep instead of spinning: two halves of the tests share the processors.
    For the same reason an example of Hypothesis' has no deadline of its own; the test has one.
    """
    settings.register_profile("patient", settings(), deadline=None)
    settings.load_profile("patient")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    folder = memory_disk.chosen()
    if folder is not None:
        memory_disk.use(folder)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def pytest_collection_finish() -> None:
    """Leave out of every later search for garbage what was imported: it stays, and is most of what there is."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals out of fifty samples drawn anew: for tests of whatever else stands in a calibration's report."""
    monkeypatch.setattr("workers.reliability.DRAWS", 50)
    monkeypatch.setattr("workers.reliability.DRAWS_LEAST", 50)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("EARMARK_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _clean_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers = root.handlers[:]
    before = {logger: logger.level for logger in (root, *map(logging.getLogger, OURS))}
    yield
    root.handlers[:] = handlers
    for logger, level in before.items():
        logger.setLevel(level)

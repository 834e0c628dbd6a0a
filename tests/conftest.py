"""What every test gets: an environment without our settings, no logging set up by another test, files in memory."""

import atexit
import logging
import os
import shutil
from collections.abc import Iterator

import pytest

from tests import memory_disk

OURS = ("earmark", "router", "workers", "runtime", "ab_testing", "retention")
"""Loggers whose levels ``earmark.log.attach`` sets."""


def pytest_configure() -> None:
    """Put temporary files into memory where there is room; they go when the last server has ended.

    Threads of PyTorch that wait for each other sleep instead of spinning: two halves of the tests share the processors.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    folder = memory_disk.chosen()
    if folder is not None:
        memory_disk.use(folder)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


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

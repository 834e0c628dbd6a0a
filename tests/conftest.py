"""What every test gets: an environment without our settings, and no logging set up by another test."""

import logging
import os
from collections.abc import Iterator

import pytest

OURS = ("earmark", "router", "workers", "runtime", "ab_testing", "retention")
"""Loggers whose levels ``earmark.log.attach`` sets."""


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

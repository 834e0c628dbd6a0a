"""``earmark route`` without files: what the router does by itself, each step on a thread of its own.

Uploads that arrive become jobs, batches are fed and followed, webhooks are called.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from earmark.errors import EarmarkError, Unavailable
from earmark.log import event

_log = logging.getLogger(__name__)
TROUBLE_S: Final = 5.0
"""Seconds of rest after a step failed."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is done again and again."""

    name: str
    run_once: Callable[[], int]
    """One bounded step; gives how much it did."""
    rest_s: float
    """Seconds to wait when there was nothing to do."""
    share: float = 1.0
    """Most of the time that it may take, for steps that cost much where there is much to look at."""


@contextmanager
def stepping(steps: Sequence[Step], stop: threading.Event) -> Iterator[None]:
    """Take the steps for as long as the context lasts; those under way are finished."""
    threads = [threading.Thread(target=_again, args=(step, stop), name=step.name) for step in steps]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def take_all(steps: Sequence[Step]) -> int:
    """Take each step until none of them does anything; returns how much was done."""
    done = 0
    while more := sum(step.run_once() for step in steps):
        done += more
    return done


def _again(step: Step, stop: threading.Event) -> None:
    away = False
    while not stop.is_set():
        began, rest_s = time.monotonic(), step.rest_s
        try:
            if step.run_once() and step.share == 1:
                rest_s = 0.0
            if away:
                event(_log, "step.went_on", step=step.name)
            away = False
        except Unavailable as error:
            if not away:  # told once when a part goes, and once when it comes back
                event(_log, "step.postponed", level=logging.WARNING, step=step.name, error=str(error))
            away, rest_s = True, TROUBLE_S
        except EarmarkError as error:
            event(_log, "step.failed", level=logging.ERROR, step=step.name, error=str(error))
            rest_s = TROUBLE_S
        except Exception:  # noqa: BLE001  # a fault in one step must not end the others
            _log.exception("step.failed")
            rest_s = TROUBLE_S
        took_s = time.monotonic() - began
        rest_s = max(rest_s, took_s * (1 / step.share - 1))
        stop.wait(rest_s * random.uniform(0.75, 1.25))  # noqa: S311  # jitter, no secret

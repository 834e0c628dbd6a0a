"""Chores: small bounded steps that a worker takes now and then beside its work, as sending spooled rows."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from earmark.errors import EarmarkError, Unavailable
from earmark.log import event

_log = logging.getLogger(__name__)

EVERY_S: Final = 5.0
Chore = Callable[[], object]


def every(seconds: float, chore: Chore) -> Chore:
    """A chore that does nothing until some time has passed since it was last done."""
    due = 0.0

    def step() -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + seconds
            chore()

    return step


def do_all(chores: Sequence[Chore]) -> None:
    """Take each step once; one that fails stops neither the others nor the worker."""
    for chore in chores:
        try:
            chore()
        except Unavailable as error:
            event(_log, "chore.postponed", level=logging.DEBUG, error=str(error))  # whoever is down says so itself
        except EarmarkError as error:
            event(_log, "chore.failed", level=logging.WARNING, error=str(error))
        except Exception:  # noqa: BLE001  # a fault in a chore must not end the worker
            _log.exception("chore.failed")


@contextmanager
def doing(chores: Sequence[Chore], *, every_s: float = EVERY_S) -> Iterator[None]:
    """Take all steps every few seconds for as long as the context lasts, and once more at its end."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(every_s * random.uniform(0.5, 1.5)):  # noqa: S311  # jitter, no secret
            do_all(chores)

    thread = threading.Thread(target=work, name="chores", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        do_all(chores)
